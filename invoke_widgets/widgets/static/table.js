// The table: one view of rows, its elements, and what the user does with it. It draws a window of row elements over any
// number of rows, all of one height, with one opened row's detail between. The row under the pointer stays where it is.
// What the rows are is up to `kind`:
//   label, name(row), columns: { name: { title, width, numeric, down, cell(row, now), hint(row, now): its tooltip } },
//   drops: the columns that are left out where it is narrow, the first one first, cards: those of a card,
//   compare(sort), passes(filters): a test; and if there is such a thing last: the width of action(row, cards),
//   press(button, row), opened(row, by), detail(row), remove(rows): what Delete is for, drawn(elements): by their rows.
// Its `cell`, `action` and `detail` return a text or elements. Elements stay while they can: a click may have begun on them.

const OVERSCAN_PAGES = 1.5;
const LEAST_OVERSCAN = 12;
/** A click may move the pointer this far; beyond it, the user is selecting text. */
const DRAG_PX = 4;
const NARROW_PX = 560;
const ROW_PX = { comfortable: 38, compact: 28, cards: 62 };
const HEAD_PX = 30;
const EDGES_PX = 56; // the boxes and the scrollbar

class Table {
  /** `model` has the traits columns, sort, filters, selected and density; `drawn()` is called after each drawing of everything. */
  constructor(kind, model, rows, el, drawn) {
    this.kind = kind;
    this.model = model;
    this.rows = rows;
    this.list = []; // the rows that pass the filters, in order
    this.members = new Set(); // the rows of `list`
    this.active = null; // the row with the tab stop
    this.open = null; // the row whose detail is shown
    this.mark = null; // the row where a range selection began
    this.unranged = new Set(); // the selection before the range
    this.toShow = null; // the row to scroll to as soon as the table itself is visible
    this.heldAtTop = false; // whether the first rows were visible before a row was held under the pointer
    this.rowH = ROW_PX.comfortable;
    this.viewH = this.rowH * 10;
    this.width = 0;
    this.detailH = 0;
    this.tallest = -1;
    this.revealing = false; // whether to keep the detail in view as it grows
    this.padTop = 0; // space above and below the rows while the row under the pointer is held in place
    this.padBottom = 0;
    this.late = new Set(); // rows held under the pointer, to be moved when it leaves
    this.pointer = null;
    this.pressed = null; // the row and element of the last pointerdown
    this.elements = new Map(); // row -> element
    this.selected = new Set(model.get("selected"));
    this.drawn = drawn;
    this._build(el);
    this._listen();
    this._newColumns();
    this.arrange();
    this.timer = setInterval(() => document.hidden || this._window(true), 1000); // times tick without traffic
  }

  _build(el) {
    this.grid = make("grid", "iwt-grid", { ariaLabel: this.kind.label, ariaMultiSelectable: "true" });
    this.head = make("row", "iwt-row iwt-head", { ariaRowIndex: "1" });
    const headGroup = make("rowgroup", "iwt-headgroup");
    headGroup.append(this.head);
    this.body = make("rowgroup", "iwt-body");
    this.detail = make("row", "iwt-detail"); // below the opened row
    this.detailCell = make("gridcell", "iwt-detailcell");
    this.detail.append(this.detailCell);
    this.grid.append(headGroup, this.body);
    this.frame = el;
    el.append(this.grid);
  }

  _listen() {
    for (const kind of ["pointerdown", "wheel"]) {
      this.grid.addEventListener(kind, () => { this.revealing = this.heldAtTop = false; }, { passive: true });
    }
    this.grid.addEventListener("scroll", () => this._scrolled(), { passive: true });
    this.grid.addEventListener("pointermove", (event) => {
      this.pointer = { x: event.clientX, y: event.clientY };
      if (this.late.size && !this.late.has(this.underPointer())) this.letGo();
    }, { passive: true });
    this.grid.addEventListener("pointerleave", () => {
      this.pointer = null;
      this.settle();
    });
    this.grid.addEventListener("pointerdown", (event) => this._press(event));
    this.grid.addEventListener("click", (event) => this._click(event));
    this.grid.addEventListener("keydown", (event) => this._key(event));
    this.grid.addEventListener("focusin", (event) => {
      const element = event.target.closest?.(".iwt-row");
      if (element?._row && element._row !== this.active) {
        this.active = element._row;
        this.render();
      }
    });
    this.sizes = new ResizeObserver(() => this._resized());
    this.sizes.observe(this.detail);
    this.sizes.observe(this.grid);
    this.unlisten = [
      listen(this.model, ["change:columns", "change:density"], () => this._newColumns()),
      listen(this.model, ["change:sort", "change:filters"], () => this.arrange()),
      listen(this.model, ["change:selected"], () => { this.selected = new Set(this.model.get("selected")); this.render(); }),
    ];
  }

  close() {
    clearInterval(this.timer);
    clearTimeout(this._ordering);
    this.sizes.disconnect();
    for (const end of this.unlisten) end();
    if (this.open) this.kind.opened?.(this.open, -1);
    this.grid.remove();
  }

  // -- order: which rows, and where -------------------------------------------------------------------------------------

  /** Filter and sort all rows. */
  arrange() {
    const passes = this.kind.passes(this.model.get("filters"));
    const sort = this.model.get("sort");
    const rows = this.rows.ordered;
    this.late.clear();
    this.list = rows.filter(passes).sort(this.kind.compare(sort));
    this.members = new Set(this.list);
    this._keepCurrent();
    this.padTop = this.padBottom = 0;
    this.render();
  }

  /** Move the rows that are new, changed or gone; the row under the pointer stays where it is. */
  update(touched) {
    const sort = this.model.get("sort");
    const passes = this.kind.passes(this.model.get("filters"));
    const pointed = this.underPointer();
    const moving = [];
    for (const row of touched) {
      if (row === pointed && this.members.has(row)) this.late.add(row);
      else moving.push(row);
    }
    if (!moving.length) {
      this.render();
      return;
    }
    if (pointed && this.grid.scrollTop <= this.padTop) this.heldAtTop = true;
    const leaving = new Set(moving);
    const anchor = pointed ?? this._anchor(leaving);
    const before = anchor ? this.y(this.list.indexOf(anchor)) - this.grid.scrollTop : 0;
    const compare = this.kind.compare(sort);
    const coming = moving.filter((row) => !row.gone && passes(row)).sort(compare);
    const staying = moving.some((row) => this.members.has(row)) ? this.list.filter((row) => !leaving.has(row)) : this.list;
    for (const row of moving) this.members.delete(row);
    this.list = merged(staying, coming, compare);
    for (const row of coming) this.members.add(row);
    this._keepCurrent();
    if (anchor) this._hold(this.list.indexOf(anchor), before, pointed !== null);
    this.render();
  }

  /** Move the rows that were held, once the pointer is on another row. */
  letGo() {
    const late = new Set(this.late);
    this.late.clear();
    if (late.size) this.update(late);
  }

  /** Move everything into place when the pointer has left, and show the newest rows again if they were shown before. */
  settle() {
    if (this.padTop || this.padBottom) {
      this.grid.scrollTop = Math.max(0, this.grid.scrollTop - this.padTop);
      this.padTop = this.padBottom = 0;
      this.render();
    }
    this.letGo();
    if (this.heldAtTop && !this.open && !this._hasKeys) this.grid.scrollTop = 0;
    this.heldAtTop = false;
  }

  /** Whether someone is at a row by the keys; a click leaves the focus there, too. */
  get _hasKeys() {
    const at = focusNear(this.body);
    return this.body.contains(at) && at.matches(":focus-visible");
  }

  /** The row that keeps its place when no pointer is over one: that with the focus, else the first in sight that stays. */
  _anchor(leaving) {
    if (this._hasKeys && this.elements.has(this.active)) return this.active;
    if (!this.grid.scrollTop) return null;
    const from = this.indexAt(this.grid.scrollTop);
    return this.list.slice(from, from + 100).find((row) => !leaving.has(row)) ?? null;
  }

  /** Scroll until row `index` is `before` pixels below the top; past the ends only if `firmly`, for the pointer. */
  _hold(index, before, firmly) {
    if (index < 0) return;
    this._grow();
    const view = this.viewH;
    this.padTop = 0;
    let top = this.y(index) - before;
    if (firmly) {
      this.padTop = Math.max(0, -top);
      top += this.padTop;
    }
    this.padBottom = firmly ? Math.max(0, top + view - this._height()) : 0;
    if (Math.abs(top - this.grid.scrollTop) < 1) return;
    this.body.style.height = `${this._height() + this.padBottom}px`;
    this.grid.scrollTop = top;
  }

  _keepCurrent() {
    if (this.open?.gone && !this.late.has(this.open)) this.toggle(null);
    if (this.active && (this.active.gone || !this.members.has(this.active)) && !this.late.has(this.active)) {
      const old = this._activeIndex ?? 0;
      const focused = this.elements.get(this.active)?.contains(focusNear(this.body));
      this.active = this.list[Math.min(old, this.list.length - 1)] ?? null;
      this._refocus = focused;
    }
  }

  // -- geometry ---------------------------------------------------------------------------------------------------------

  y(index) {
    return this.padTop + index * this.rowH + (this._openIndex >= 0 && index > this._openIndex ? this.detailH : 0);
  }

  indexAt(y) {
    let at = y - this.padTop;
    if (this._openIndex >= 0 && at >= (this._openIndex + 1) * this.rowH) {
      at = Math.max((this._openIndex + 1) * this.rowH - 1, at - this.detailH);
    }
    return Math.max(0, Math.min(this.list.length - 1, Math.floor(at / this.rowH)));
  }

  get _openIndex() {
    if (!this.open) return -1;
    if (this.list[this._openAt] !== this.open) this._openAt = this.list.indexOf(this.open);
    return this._openAt;
  }

  _height() {
    return this.padTop + this.list.length * this.rowH + (this._openIndex >= 0 ? this.detailH : 0);
  }

  /** The frame is no taller than its rows ever were. It never shrinks, as each letter of a search would have it. */
  _grow() {
    const rows = this._height() - this.padTop;
    if (rows <= this.tallest) return;
    this.tallest = rows;
    this.frame.style.maxHeight = `${rows + this.headH}px`;
    this._measure();
  }

  _resized() {
    this.detailH = this.open ? this.detail.offsetHeight : 0;
    if (this.grid.clientWidth !== this.width) {
      this.width = this.grid.clientWidth;
      this._newColumns();
    }
    this._measure();
    this.render();
    this.reveal();
    if (this.toShow !== null) this.show(this.toShow);
  }

  _measure() {
    this.viewH = Math.max(this.rowH, this.grid.clientHeight - this.headH);
  }

  underPointer() {
    if (!this.pointer) return null;
    const box = this.grid.getBoundingClientRect();
    const y = this.pointer.y - box.top - this.headH;
    if (y < 0) return null;
    const at = y + this.grid.scrollTop;
    return at >= this.padTop && at < this._height() ? this.list[this.indexAt(at)] ?? null : null;
  }

  // -- drawing ----------------------------------------------------------------------------------------------------------

  /** Choose the columns that fit, and draw all rows anew. */
  _newColumns() {
    const { columns } = this.kind;
    this.cards = this.width > 0 && this.width < NARROW_PX;
    this.rowH = ROW_PX[this.cards ? "cards" : this.model.get("density")] ?? ROW_PX.comfortable;
    this.headH = this.cards ? 0 : HEAD_PX;
    this.columns = this.model.get("columns").filter((name) => name in columns);
    const { last = "44px" } = this.kind;
    const least = (width) => parseInt(width.replace(/^\D+/, ""), 10);
    const needed = () => this.columns.reduce((sum, name) => sum + least(columns[name].width), EDGES_PX + least(last));
    for (const name of this.kind.drops) {
      if (this.width > 0 && !this.cards && needed() > this.width) this.columns = this.columns.filter((other) => other !== name);
    }
    if (this.cards) this.columns = this.kind.cards.filter((name) => name in columns);
    this.grid.classList.toggle("iwt-cards", this.cards);
    this.grid.style.setProperty("--iwt-row", `${this.rowH}px`);
    this.grid.style.setProperty("--iwt-columns", ["40px", ...this.columns.map((name) => columns[name].width), last].join(" "));
    this.grid.ariaColCount = this.columns.length + 2;
    this.render();
  }

  _paint(element, row, index, now) {
    const isOpen = this.open === row;
    const y = this.y(index);
    if (element._y !== y) element.style.transform = `translateY(${y}px)`;
    Object.assign(element, { _row: row, _y: y, tabIndex: row === this.active ? 0 : -1, ariaRowIndex: index + 2, ariaSelected: this.selected.has(row.id) });
    element.dataset.id = row.id;
    element.classList.toggle("iwt-gone", row.gone);
    // The row has aria-selected, and cannot have aria-expanded.
    render(html`<div class="iwt-cell iwt-check" role="gridcell"><span class="iwt-box" aria-hidden="true"></span></div>
      ${this.columns.map((name, i) => {
        const { cell, hint, numeric } = this.kind.columns[name];
        return html`<div key=${name} class=${`iwt-cell iwt-c-${name} ${numeric ? "iwt-number" : ""}`} role="gridcell" title=${hint?.(row, now) ?? ""}
          aria-expanded=${i ? null : String(isOpen)}>${cell(row, now)}</div>`;
      })}
      <div class="iwt-cell iwt-last" role="gridcell">${this.kind.action?.(row, this.cards)}</div>`, element);
  }

  _scrolled() {
    // The wheel may have moved the held row away from the pointer.
    if (this.late.size && !this.late.has(this.underPointer())) this.letGo();
    this._window(false);
  }

  /** Draw everything. */
  render() {
    this._window(true);
    this._drawHead();
    this.drawn();
    this.kind.drawn?.(this.elements);
  }

  /**
   * Give the visible rows, some pages around them and the active row an element each.
   * While scrolling (`all` is false) only rows that come into the window are painted.
   */
  _window(all) {
    const now = Date.now() / 1000;
    this._grow();
    const view = this.viewH;
    const over = Math.max(LEAST_OVERSCAN, Math.ceil((view / this.rowH) * OVERSCAN_PAGES));
    this.active ??= this.list[0] ?? null;
    const height = `${this._height() + this.padBottom}px`;
    if (this.body.style.height !== height) this.body.style.height = height;
    const top = this.grid.scrollTop; // as the new height leaves it
    const from = Math.max(0, this.indexAt(top) - over);
    const to = Math.min(this.list.length - 1, this.indexAt(top + view) + over);
    if (all) this.grid.ariaRowCount = this.list.length + 1;
    const wanted = new Map();
    for (let i = from; i <= to; i++) wanted.set(this.list[i], i);
    if (this.active && !wanted.has(this.active)) {
      const index = this.list.indexOf(this.active);
      if (index >= 0) wanted.set(this.active, index);
    }
    if (this.active && wanted.has(this.active)) this._activeIndex = wanted.get(this.active);
    const free = [];
    for (const [row, element] of this.elements) {
      if (!wanted.has(row)) {
        this.elements.delete(row);
        free.push(element);
      }
    }
    for (const [row, index] of wanted) {
      let element = this.elements.get(row);
      const known = element !== undefined;
      if (!known) {
        element = free.pop() ?? make("row", "iwt-row");
        if (!element.isConnected) this.body.append(element);
        this.elements.set(row, element);
      }
      if (all || !known) this._paint(element, row, index, now);
    }
    for (const element of free) { render(null, element); element.remove(); }
    this._drawDetail();
    this._orderLater();
    if (this._refocus) {
      this._refocus = false;
      this.elements.get(this.active)?.focus({ preventScroll: true });
    }
  }

  _drawHead() {
    const sort = this.model.get("sort");
    const all = this.list.length > 0 && this.list.length <= this.selected.size && this.list.every((row) => this.selected.has(row.id));
    render(html`
      <div class="iwt-cell iwt-check" role="columnheader"><span class="iwt-box" role="checkbox" tabindex="-1" data-column=""
        aria-label="Select all rows shown" aria-checked=${all ? "true" : this.selected.size ? "mixed" : "false"}></span></div>
      ${this.columns.map((name, i) => {
        const { title, numeric } = this.kind.columns[name];
        const [by, arrow] = sort === name ? ["ascending", "▲"] : sort === `-${name}` ? ["descending", "▼"] : ["none", ""];
        return html`<div key=${name} class=${`iwt-cell iwt-sort ${numeric ? "iwt-number" : ""}`} role="columnheader" aria-sort=${by} data-column=${name}
          title=${`Sort by ${title.toLowerCase()}`} tabindex=${i || this.list.length ? -1 : 0 /* while there is no row */}>
          <span class="iwt-cut">${title}</span>${arrow && html`<span aria-hidden="true">${arrow}</span>`}</div>`;
      })}
      <div class="iwt-cell iwt-last" role="columnheader"><span class="iw-hidden">Action</span></div>`, this.head);
  }

  _drawDetail() {
    const { detail, _openIndex: index } = this;
    if (index < 0) {
      detail.remove();
      return;
    }
    if (!detail.isConnected) this.body.append(detail);
    detail.style.transform = `translateY(${this.y(index) + this.rowH}px)`;
    Object.assign(detail, { ariaRowIndex: index + 2, ariaLabel: `Details of ${this.kind.name(this.open)}` });
    this.detailCell.ariaColSpan = this.columns.length + 2;
  }

  /** Draw the opened row's detail anew, if it is this row's; what the user unfolded, scrolled or focused in it stays so. */
  fillDetail(row = this.open) {
    if (this.open && row === this.open) render(this.kind.detail(row), this.detailCell);
  }

  /** When nothing moves, put the elements into the order of their rows, in which screen readers read them. */
  _orderLater() {
    clearTimeout(this._ordering);
    this._ordering = setTimeout(() => {
      // Moving an element in the page would lose a click that has begun.
      if (this.body.matches(":active")) this._orderLater();
      else this._order();
    }, 200);
  }

  _order() {
    const rows = [...this.elements].sort(([, a], [, b]) => a._y - b._y).map(([, element]) => element);
    const open = this.elements.get(this.open);
    const { detail } = this;
    const wanted = rows.flatMap((element) => (element === open && detail.isConnected ? [element, detail] : [element]));
    const focused = wanted.findIndex((element) => element.contains(focusNear(this.body)));
    // Moving the element with the focus would blur it: the others are moved around it.
    for (let i = focused < 0 ? wanted.length - 2 : focused - 1; i >= 0; i--) {
      if (wanted[i].nextSibling !== wanted[i + 1]) wanted[i + 1].before(wanted[i]);
    }
    for (let i = Math.max(focused, 0) + 1; focused >= 0 && i < wanted.length; i++) {
      if (wanted[i].previousSibling !== wanted[i - 1]) wanted[i - 1].after(wanted[i]);
    }
  }

  // -- what the user does -----------------------------------------------------------------------------------------------

  /** The selected rows that pass a test. */
  chosen(test) {
    const chosen = [];
    for (const id of this.selected) {
      const row = this.rows.byId.get(id);
      if (row && test(row)) chosen.push(row);
    }
    return chosen;
  }

  /** What Delete is about: the selected rows, or else the one with the focus. */
  removable() {
    return this.selected.size ? this.chosen(() => true) : [this.active].filter(Boolean);
  }

  /** Open a row, or close it; null closes. With `reveal`, as by key, scroll to its detail; under a pointer no row moves. */
  toggle(row, reveal = false) {
    if (this.open) this.kind.opened?.(this.open, -1);
    this.open = row && row !== this.open ? row : null;
    this.revealing = reveal;
    this.detailH = 0;
    render(null, this.detailCell);
    if (this.open) {
      this.fillDetail();
      this.kind.opened?.(this.open, 1);
    }
    this.render();
    if (this.open) this._resized(); // to what is in it
  }

  /** Scroll to show as much of the detail as fits under its row, unless the user did something else meanwhile. */
  reveal() {
    if (!this.revealing || this._openIndex < 0) return;
    const top = this.y(this._openIndex);
    const bottom = top + this.rowH + this.detailH;
    this.grid.scrollTop = Math.min(top, Math.max(this.grid.scrollTop, bottom - this.viewH));
  }

  _select(ids) {
    this.selected = new Set(ids);
    put(this.model, "selected", [...this.selected].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)));
    this.render();
  }

  _toggleSelected(row) {
    const ids = new Set(this.selected);
    if (!ids.delete(row.id)) ids.add(row.id);
    this._select(ids);
    this._mark(row);
  }

  /** Begin a range here, in addition to the current selection. */
  _mark(row) {
    this.mark = row;
    this.unranged = new Set(this.selected);
  }

  _selectRange(row) {
    if (!this.mark) this._mark(row);
    const a = Math.max(0, this.list.indexOf(this.mark));
    const b = this.list.indexOf(row);
    this._select([...this.unranged, ...this.list.slice(Math.min(a, b), Math.max(a, b) + 1).map((r) => r.id)]);
  }

  _selectAll() {
    const ids = this.list.map((row) => row.id);
    this._select(ids.every((id) => this.selected.has(id)) ? [] : ids);
  }

  sortBy(name) {
    const sort = this.model.get("sort");
    const down = this.kind.columns[name].down; // what is new or large comes first
    put(this.model, "sort", sort === name ? `-${name}` : sort === `-${name}` ? name : down ? `-${name}` : name);
  }

  /** Remember what the pointer goes down on: the click is about that, even if rows move before the pointer is up. */
  _press(event) {
    const row = event.target.closest(".iwt-row")?._row;
    this.pressed = row ? { row, target: event.target, x: event.clientX, y: event.clientY } : null;
  }

  /** The row and element that a click is about; null if the pointer was dragged to select text. */
  _clicked(event) {
    const { pressed } = this;
    this.pressed = null;
    if (!pressed || event.detail === 0) return { row: event.target.closest(".iwt-row")?._row, target: event.target };
    const moved = Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y);
    return moved > DRAG_PX ? null : pressed;
  }

  _click(event) {
    const header = event.target.closest("[data-column]");
    if (header && this.head.contains(header)) {
      if (header.dataset.column) this.sortBy(header.dataset.column);
      else this._selectAll();
      return;
    }
    const clicked = this._clicked(event);
    if (!clicked?.row) return;
    const { row, target } = clicked;
    const button = target.closest("button");
    this.active = row;
    if (button) {
      if (event.detail < 2 && button.getAttribute("aria-disabled") !== "true" && !button.closest(".iw-ended")) this.kind.press(button, row);
    } else if (event.shiftKey) {
      this._selectRange(row);
    } else if (target.closest(".iwt-check") || event.ctrlKey || event.metaKey) {
      this._toggleSelected(row);
    } else if (event.detail < 2) {
      this.toggle(row); // a double click selects a word
    }
    this.render();
  }

  /** Scroll to a row and focus it, clearing filters that hide it. */
  show(id) {
    const row = this.rows.byId.get(id);
    this.toShow = this.grid.clientHeight ? null : id; // its tab may not be shown yet
    if (!row || this.toShow !== null) return;
    this._measure();
    if (!this.members.has(row)) {
      put(this.model, "filters", {});
      this.arrange();
    }
    this._goTo(this.list.indexOf(row));
  }

  focusRow() {
    const element = this.elements.get(this.active);
    if (element) element.focus({ preventScroll: true });
  }

  _goTo(index) {
    this.active = this.list[index];
    this.heldAtTop = false;
    const top = this.y(index);
    const view = this.viewH;
    if (top < this.grid.scrollTop) this.grid.scrollTop = top;
    else if (top + this.rowH > this.grid.scrollTop + view) this.grid.scrollTop = top + this.rowH - view;
    this.render();
    this.focusRow();
  }

  _go(index, event) {
    if (!this.list.length) return;
    const before = this.active;
    this._goTo(Math.max(0, Math.min(this.list.length - 1, index)));
    if (event.shiftKey) {
      if (!this.mark) this._mark(before);
      this._selectRange(this.active);
    } else {
      this.mark = null;
    }
  }

  _key(event) {
    this.revealing = false;
    if (this.detail.contains(event.target)) {
      if (event.key === "Escape") {
        this.toggle(null);
        this.focusRow();
      }
      return;
    }
    if (this.head.contains(event.target)) {
      this._keyInHead(event);
      return;
    }
    const onButton = event.target.closest("button");
    const at = this.active ? this.list.indexOf(this.active) : -1;
    const page = Math.max(1, Math.floor(this.viewH / this.rowH) - 1);
    const keys = {
      ArrowDown: () => this._go(at + 1, event),
      ArrowUp: () => (at <= 0 ? this.head.querySelector(".iwt-sort")?.focus() : this._go(at - 1, event)),
      PageDown: () => this._go(at + page, event),
      PageUp: () => this._go(at - page, event),
      Home: () => this._go(0, event),
      End: () => this._go(this.list.length - 1, event),
      ArrowRight: () => this.elements.get(this.active)?.querySelector(".iwt-last button")?.focus(),
      ArrowLeft: () => this.focusRow(),
      Escape: () => (onButton ? this.focusRow() : this.open ? this.toggle(null) : this.selected.size && this._select([])),
      Delete: () => this.kind.remove?.(this.removable()),
      Backspace: () => this.kind.remove?.(this.removable()),
    };
    if (!onButton) {
      keys[" "] = () => this.active && this._toggleSelected(this.active);
      keys.Enter = () => this.active && this.toggle(this.active, true);
    }
    if ((event.ctrlKey || event.metaKey) && event.key === "a") keys.a = () => this._selectAll();
    else if (event.ctrlKey || event.metaKey || event.altKey) return;
    act_on(keys, event);
  }

  _keyInHead(event) {
    const cells = [...this.head.querySelectorAll("[data-column]")];
    const at = cells.indexOf(event.target);
    act_on({
      ArrowRight: () => cells[Math.min(cells.length - 1, at + 1)].focus(),
      ArrowLeft: () => cells[Math.max(0, at - 1)].focus(),
      Home: () => cells[0].focus(),
      End: () => cells[cells.length - 1].focus(),
      ArrowDown: () => this.focusRow(),
      Enter: () => event.target.click(),
      " ": () => event.target.click(),
    }, event);
  }
}

/** Merge two sorted arrays, of which the second is mostly short. */
function merged(a, b, compare) {
  if (!b.length) return a;
  const out = [];
  let from = 0;
  for (const row of b) {
    let [low, high] = [from, a.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compare(a[middle], row) <= 0) low = middle + 1;
      else high = middle;
    }
    while (from < low) out.push(a[from++]);
    out.push(row);
  }
  while (from < a.length) out.push(a[from++]);
  return out;
}

/** A comparison by `key(row)`: what has no value comes last, equal ones by `then`. */
function ordering(sort, key, then) {
  const sign = sort.startsWith("-") ? -1 : 1;
  return (a, b) => {
    const x = key(a);
    const y = key(b);
    if (x === y) return then(a, b);
    if (x === null || x === undefined) return 1;
    if (y === null || y === undefined) return -1;
    return x < y ? -sign : x > y ? sign : then(a, b);
  };
}

/** Run the action of a key, and keep the event from others. */
function act_on(keys, event) {
  const action = keys[event.key];
  if (!action) return;
  event.preventDefault();
  event.stopPropagation();
  action();
}

const make = (role, className, more) => Object.assign(document.createElement("div"), { role, className, ...more });

/** The element with the focus in the same document or shadow root: some front ends show widgets in shadow roots. */
const focusNear = (element) => element.getRootNode().activeElement ?? null;

/** A button in a row, pressed by the pointer or with the row's own keys. Another act is another element, as a click may have begun on it. */
const rowButton = (act, text, label, look = "iw-outline", busy = false) => html`<button key=${act} type="button" tabindex="-1" data-act=${act}
  class=${`${look} ${busy ? "iw-busy" : ""}`} aria-label=${label} title=${label} aria-disabled=${busy ? "true" : null}>${text}</button>`;

/** A reference to a table, once it is made, and its element; `made(table)` may return what is to be done at its end. */
function useTable(model, kind, rows, made) {
  const [height] = useTraits(model, "height");
  const [, redraw] = useState(0);
  const [table, slot] = [useRef(null), useRef(null)];
  if (table.current) table.current.kind = kind;
  useLayoutEffect(() => { // at once: rows that arrive before would be missed
    table.current = new Table(kind, model, rows, slot.current, () => redraw((n) => n + 1));
    const ended = made?.(table.current);
    return () => { ended?.(); table.current.close(); };
  }, []);
  return [table, html`<div key="table" ref=${slot} class="iwt-frame" style=${`height:${height}`}></div>`];
}

/** Rows from a trait, by their ids; a row keeps its object, so that what is open stays open. */
class TraitRows {
  constructor() {
    this.byId = new Map();
    this.ordered = [];
  }

  take(list) {
    const before = this.byId;
    this.byId = new Map();
    this.ordered = list.map((values) => {
      const row = Object.assign(before.get(values.id) ?? { gone: false }, values);
      this.byId.set(row.id, row);
      before.delete(row.id);
      return row;
    });
    for (const row of before.values()) row.gone = true;
    return new Set([...this.ordered, ...before.values()]);
  }
}

/** The same for the rows of a trait; `changed(table)` is called when they have changed. */
function useTraitTable(model, kind, list, changed) {
  const rows = useMemo(() => new TraitRows(), []);
  const [table, element] = useTable(model, kind, rows);
  useLayoutEffect(() => {
    table.current.update(rows.take(list));
    changed?.(table.current);
  }, [list]);
  useLayoutEffect(() => table.current.fillDetail());
  return [table.current, element];
}

/** A table's element, and over it a sentence while it has no rows: `none`, or that the filters hide all. */
function TableBox({ model, table, thing, none, total, children }) {
  const empty = table && table.list.length === 0;
  return html`<div class="iwq-box">${children}
    ${empty && html`<div class="iwq-empty">${!total ? none : html`<${Empty} text=${`No ${thing} matches the filters.`}>
      <${Button} onClick=${() => put(model, "filters", {})}>${`Show all ${thing}s`}<//><//>`}</div>`}</div>`;
}

/** A part of an opened row that is folded at first. */
function Folded({ title, text }) {
  return html`<details><summary>${title}</summary><pre tabindex="0" role="region" aria-label=${title}>${text}</pre></details>`;
}
