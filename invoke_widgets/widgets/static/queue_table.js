// The table: one view of the rows, its elements, and what the user does with it; last, the anywidget's entry.
// It draws a window of row elements over any number of rows, all of one height, with one opened row's detail between.
// The row under the pointer stays where it is.

const ROW_H = 28;
const OVERSCAN_PAGES = 1.5;
const LEAST_OVERSCAN = 12;
/** A click may move the pointer this far; beyond it, the user is selecting text. */
const DRAG_PX = 4;
/** Columns whose values change by themselves while a job runs. */
const TICKING = new Set(["took", "progress"]);

class TableView {
  constructor(model, shared, el) {
    this.model = model;
    this.shared = shared;
    this.rows = shared.rows;
    this.list = []; // the rows that pass the filters, in order
    this.members = new Set(); // the rows of `list`
    this.active = null; // the row with the tab stop
    this.open = null; // the row whose detail is shown
    this.mark = null; // the row where a range selection began
    this.unranged = new Set(); // the selection before the range
    this.toShow = null; // the item to scroll to as soon as the table itself is visible
    this.heldAtTop = false; // whether the newest rows were visible before a row was held under the pointer
    this.viewH = ROW_H * 12;
    this.detailH = 0;
    this.revealing = false; // whether to keep the detail in view as it grows
    this.padTop = 0; // space above and below the rows while the row under the pointer is held in place
    this.padBottom = 0;
    this.late = new Set(); // rows held under the pointer, to be moved when it leaves
    this.pointer = null;
    this.pressed = null; // the row and element of the last pointerdown
    this.elements = new Map(); // row -> element
    this.selected = new Set(model.get("selected"));
    this._build(el);
    this._listen();
    this._newColumns();
    this.arrange();
    this.timer = setInterval(() => document.hidden || this._window(true), 1000); // times tick without traffic
  }

  _build(el) {
    this.toolbar = new Toolbar({
      filter: (changes) => this._save("filters", cleaned({ ...this.model.get("filters"), ...changes })),
      columns: (names) => this._save("columns", names),
      redraw: () => this._drawAround(),
      act: (kind) => (kind === "cancel" ? this.askToCancel() : this._act("retry", this._chosen((r) => r.retriable))),
    });
    this.grid = make("div", "iwq-grid", null, { role: "grid", "aria-label": "queue", "aria-multiselectable": "true" });
    this.grid.style.height = this.model.get("height");
    this.head = make("div", "iwq-row iwq-head", null, { role: "row", "aria-rowindex": "1" });
    const headGroup = make("div", "iwq-headgroup", null, { role: "rowgroup" });
    headGroup.append(this.head);
    this.body = make("div", "iwq-body", null, { role: "rowgroup" });
    this.detail = new Detail();
    this.grid.append(headGroup, this.body);
    this.empty = make("div", "iwq-empty");
    this.ask = make("div", "iwq-ask", null, { role: "group", "aria-label": "confirm" });
    this.ask.hidden = true;
    this.said = make("div", "iwq-said", null, { role: "status" });
    const frame = make("div", "iwq-frame");
    frame.append(this.grid, this.empty);
    // Without the attribute JupyterLab would take arrows, Enter and Delete for its cells.
    const root = make("div", "iw iwq", null, { "data-lm-suppress-shortcuts": "true" });
    root.append(this.toolbar.element, frame, this.ask, this.said);
    el.append(root);
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
    // A click follows at once, or not at all.
    this.released = () => setTimeout(() => { this.pressed = null; });
    for (const kind of ["pointerup", "pointercancel"]) document.addEventListener(kind, this.released);
    this.grid.addEventListener("click", (event) => this._click(event));
    this.grid.addEventListener("keydown", (event) => this._key(event));
    this.grid.addEventListener("focusin", (event) => {
      const element = event.target.closest?.(".iwq-row");
      if (element?._row && element._row !== this.active) {
        this.active = element._row;
        this.render();
      }
    });
    this.sizes = new ResizeObserver(() => {
      const height = this.open ? this.detail.element.offsetHeight : 0;
      if (height !== this.detailH) {
        this.detailH = height;
        this.render();
        this.reveal();
      }
    });
    this.sizes.observe(this.detail.element);
    this.resized = new ResizeObserver(() => {
      // The last column sticks to the right only where it would be cut off: sticking slows scrolling down.
      this.grid.classList.toggle("iwq-wide", this.grid.scrollWidth > this.grid.clientWidth);
      this.viewH = Math.max(ROW_H, this.grid.clientHeight - ROW_H);
      this.render();
      if (this.toShow !== null) this.showItem(this.toShow);
    });
    this.resized.observe(this.grid);
    const on = (name, listener) => {
      this.model.on(`change:${name}`, listener);
      this.offs.push(() => this.model.off(`change:${name}`, listener));
    };
    this.offs = [];
    on("columns", () => this._newColumns());
    on("sort", () => { this._newColumns(); this.arrange(); });
    on("filters", () => this.arrange());
    on("selected", () => { this.selected = new Set(this.model.get("selected")); this.render(); });
    const changed = (touched) => (touched ? this.update(touched) : this.arrange());
    this.shared.views.add(changed);
    const event = (kind, data) => this._event(kind, data);
    this.shared.listeners.add(event);
    this.offs.push(() => this.shared.views.delete(changed), () => this.shared.listeners.delete(event));
  }

  close() {
    clearInterval(this.timer);
    this.sizes.disconnect();
    this.resized.disconnect();
    for (const off of this.offs) off();
    clearTimeout(this._ordering);
    for (const kind of ["pointerup", "pointercancel"]) document.removeEventListener(kind, this.released);
    if (this.open) this.shared.open(this.open.id, -1);
  }

  _save(name, value) {
    this.model.set(name, value);
    this.model.save_changes();
  }

  _event(kind, data) {
    if (kind === "say") {
      setText(this.said, data.text);
    } else if (kind === "busy") {
      this.render();
    } else if (kind === "show") {
      this.showItem(data.id);
    } else if (kind === "detail" && this.open?.id === data.id) {
      this._fillDetail();
    } else if (kind === "image" && this.open?.id === data.id) {
      this.detail.showImage(this.open, this.shared.details.get(data.id), data);
    }
  }

  // -- order: which rows, and where -------------------------------------------------------------------------------------

  /** Filter and sort all rows. */
  arrange() {
    const passes = sieve(this.model.get("filters"));
    const sort = this.model.get("sort");
    const rows = this.rows.ordered;
    let list = passes ? rows.filter(passes) : rows.slice();
    if (sort === "-item") list.reverse();
    else if (sort !== "item") list.sort(comparison(sort, this.rows));
    this.late.clear();
    this.list = list;
    this.members = new Set(list);
    this._keepCurrent();
    this.padTop = this.padBottom = 0;
    this.render();
  }

  /** Move the rows that are new, changed or gone; the row under the pointer stays where it is. */
  update(touched) {
    const sort = this.model.get("sort");
    const passes = sieve(this.model.get("filters"));
    const fixed = !passes && !sortsByWhatChanges(sort);
    const pointed = this.underPointer();
    const moving = [];
    if (TICKING.has(sort.replace("-", ""))) touched = new Set([...touched, ...this.rows.running.filter((r) => this.members.has(r))]);
    for (const row of touched) {
      if (fixed && this.members.has(row) && !row.gone) continue;
      if (row === pointed && this.members.has(row)) this.late.add(row);
      else moving.push(row);
    }
    if (!moving.length) {
      this.render();
      return;
    }
    if (pointed && this.grid.scrollTop <= this.padTop) this.heldAtTop = true;
    const anchor = pointed ?? this._anchor();
    const before = anchor ? this.y(this.list.indexOf(anchor)) - this.grid.scrollTop : 0;
    const leaving = new Set(moving);
    const compare = comparison(sort, this.rows);
    const coming = moving.filter((row) => !row.gone && (!passes || passes(row))).sort(compare);
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
    if (this.heldAtTop && !this.open && !this.body.contains(focusNear(this.body))) this.grid.scrollTop = 0;
    this.heldAtTop = false;
  }

  _anchor() {
    if (this.body.contains(focusNear(this.body)) && this.elements.has(this.active)) return this.active;
    return this.grid.scrollTop > 0 ? this.list[this.indexAt(this.grid.scrollTop)] ?? null : null;
  }

  /** Scroll until row `index` is `before` pixels below the top; past the ends only if `firmly`, for the pointer. */
  _hold(index, before, firmly) {
    if (index < 0) return;
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
    return this.padTop + index * ROW_H + (this._openIndex >= 0 && index > this._openIndex ? this.detailH : 0);
  }

  indexAt(y) {
    let at = y - this.padTop;
    if (this._openIndex >= 0 && at >= (this._openIndex + 1) * ROW_H) {
      at = Math.max((this._openIndex + 1) * ROW_H - 1, at - this.detailH);
    }
    return Math.max(0, Math.min(this.list.length - 1, Math.floor(at / ROW_H)));
  }

  get _openIndex() {
    if (!this.open) return -1;
    if (this.list[this._openAt] !== this.open) this._openAt = this.list.indexOf(this.open);
    return this._openAt;
  }

  _height() {
    return this.padTop + this.list.length * ROW_H + (this._openIndex >= 0 ? this.detailH : 0);
  }

  underPointer() {
    if (!this.pointer) return null;
    const box = this.grid.getBoundingClientRect();
    const y = this.pointer.y - box.top - ROW_H;
    if (y < 0) return null;
    const at = y + this.grid.scrollTop;
    return at >= this.padTop && at < this._height() ? this.list[this.indexAt(at)] ?? null : null;
  }

  // -- drawing ----------------------------------------------------------------------------------------------------------

  _newColumns() {
    this.columns = this.model.get("columns").filter((name) => name in CELLS);
    const sort = this.model.get("sort");
    this.grid.style.setProperty("--iwq-columns",
      ["32px", ...this.columns.map((name) => WIDTHS[name]), "40px"].join(" "));
    this.grid.style.setProperty("--iwq-least",
      `${72 + this.columns.reduce((sum, name) => sum + Number(/\d+/.exec(WIDTHS[name])[0]), 0)}px`);
    this.grid.setAttribute("aria-colcount", String(this.columns.length + 2));
    const focused = this.head.contains(focusNear(this.head)) ? focusNear(this.head).dataset.column : null;
    const all = make("div", "iwq-cell iwq-check", null, { role: "columnheader" });
    this.all = make("span", "iwq-box", null, { role: "checkbox", "aria-label": "select all rows shown", "data-column": "" });
    this.all.tabIndex = -1;
    all.append(this.all);
    const cells = this.columns.map((name) => {
      const by = sort.replace("-", "") === name ? (sort.startsWith("-") ? "descending" : "ascending") : "none";
      const cell = make("div", `iwq-cell iwq-sort${NUMERIC.has(name) ? " iwq-number" : ""}`, null,
        { role: "columnheader", "aria-sort": by, "data-column": name, title: `sort by ${name}` });
      cell.tabIndex = -1;
      const arrow = { ascending: "▲", descending: "▼", none: "" }[by];
      cell.append(make("span", "", name), make("span", "iwq-arrow", arrow, { "aria-hidden": "true" }));
      return cell;
    });
    const last = make("div", "iwq-cell iwq-last", null, { role: "columnheader" });
    last.append(make("span", "iwq-hidden", "action"));
    this.head.replaceChildren(all, ...cells, last);
    if (focused !== null) this.head.querySelector(`[data-column="${focused}"]`)?.focus();
    for (const element of this.elements.values()) element.remove();
    this.elements.clear();
    this.grid.classList.toggle("iwq-wide", this.grid.scrollWidth > this.grid.clientWidth);
    this.render();
  }

  _newRow() {
    const element = make("div", "iwq-row", null, { role: "row" });
    element.tabIndex = -1;
    const check = make("div", "iwq-cell iwq-check", null, { role: "gridcell" });
    check.append(make("span", "iwq-box", null, { "aria-hidden": "true" })); // the row has aria-selected
    element._cells = this.columns.map((name) =>
      make("div", `iwq-cell iwq-c-${name}${NUMERIC.has(name) ? " iwq-number" : ""}`, null, { role: "gridcell" }));
    element._action = make("div", "iwq-cell iwq-last", null, { role: "gridcell" });
    element.append(check, ...element._cells, element._action);
    return element;
  }

  _paint(element, row, index, now) {
    element._row = row;
    const y = this.y(index);
    if (element._y !== y) {
      element._y = y;
      element.style.transform = `translateY(${y}px)`;
    }
    const selected = this.selected.has(row.id);
    const state = `${row.id} ${index} ${selected} ${this.open === row} ${row === this.active} ${row.gone}`;
    if (element._state !== state) {
      element._state = state;
      element.dataset.id = String(row.id);
      element.setAttribute("aria-rowindex", String(index + 2));
      element.setAttribute("aria-selected", String(selected));
      element.classList.toggle("iwq-open", this.open === row);
      element._cells[0].setAttribute("aria-expanded", String(this.open === row)); // not allowed on a grid's rows
      element.classList.toggle("iwq-odd", index % 2 === 1);
      element.classList.toggle("iwq-gone", row.gone);
      element.tabIndex = row === this.active ? 0 : -1;
    }
    this.columns.forEach((name, i) => CELLS[name](element._cells[i], row, this.rows, now));
    actionCell(element._action, row, this.rows.busy.has(row.id));
  }

  _scrolled() {
    // The wheel may have moved the held row away from the pointer.
    if (this.late.size && !this.late.has(this.underPointer())) this.letGo();
    this._window(false);
  }

  /** Draw everything. */
  render() {
    this._window(true);
    this._drawAround();
  }

  /**
   * Give the visible rows, some pages around them and the active row an element each.
   * While scrolling (`all` is false) only rows that come into the window are painted.
   */
  _window(all) {
    const now = Date.now() / 1000;
    const view = this.viewH;
    const over = Math.max(LEAST_OVERSCAN, Math.ceil((view / ROW_H) * OVERSCAN_PAGES));
    this.active ??= this.list[0] ?? null;
    const top = this.grid.scrollTop;
    const from = Math.max(0, this.indexAt(top) - over);
    const to = Math.min(this.list.length - 1, this.indexAt(top + view) + over);
    const height = `${this._height() + this.padBottom}px`;
    if (this.body.style.height !== height) this.body.style.height = height;
    if (all) this.grid.setAttribute("aria-rowcount", String(this.list.length + 1));
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
        element = free.pop() ?? this._newRow();
        if (!element.isConnected) this.body.append(element);
        this.elements.set(row, element);
      }
      if (all || !known) this._paint(element, row, index, now);
    }
    for (const element of free) element.remove();
    this._drawDetail();
    this._orderLater();
    if (this._refocus) {
      this._refocus = false;
      this.elements.get(this.active)?.focus({ preventScroll: true });
    }
  }

  _drawAround() {
    this.toolbar.draw({
      rows: this.rows,
      filters: this.model.get("filters"),
      columns: this.columns,
      shown: this.list.length - [...this.late].filter((row) => row.gone).length,
      cancelable: this._chosen((row) => row.cancelable),
      retriable: this._chosen((row) => row.retriable),
      members: this.members,
    });
    const all = this.list.length > 0 && this.list.length <= this.selected.size &&
      this.list.every((row) => this.selected.has(row.id));
    this.all.setAttribute("aria-checked", all ? "true" : this.selected.size ? "mixed" : "false");
    const filtered = Object.keys(this.model.get("filters")).length > 0 && this.rows.ordered.length > 0;
    this.empty.hidden = this.list.length > 0;
    // The header has the tab stop while there is no row.
    this.head.querySelector(".iwq-sort").tabIndex = this.list.length ? -1 : 0;
    setText(this.empty, this.rows.facts.unread ? "Reading the queue…"
      : filtered ? "No item matches the filters." : "The queue is empty.");
  }

  _drawDetail() {
    const { element } = this.detail;
    const index = this._openIndex;
    if (index < 0) {
      element.remove();
      return;
    }
    if (!element.isConnected) this.body.append(element);
    element.style.transform = `translateY(${this.y(index) + ROW_H}px)`;
    element.setAttribute("aria-rowindex", String(index + 2));
    element.setAttribute("aria-label", `detail of item ${this.open.id}`);
    this.detail.cell.setAttribute("aria-colspan", String(this.columns.length + 2));
  }

  _fillDetail() {
    this.detail.fill(this.open, this.shared.details.get(this.open.id));
  }

  /** When nothing moves, put the elements into the order of their rows, in which screen readers read them. */
  _orderLater() {
    clearTimeout(this._ordering);
    this._ordering = setTimeout(() => {
      // Moving an element in the page would lose a click that has begun.
      if (this.pressed) this._orderLater();
      else this._order();
    }, 200);
  }

  _order() {
    const rows = [...this.elements].sort(([, a], [, b]) => a._y - b._y).map(([, element]) => element);
    const open = this.elements.get(this.open);
    const detail = this.detail.element;
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
  _chosen(test) {
    const chosen = [];
    for (const id of this.selected) {
      const row = this.rows.byId.get(id);
      if (row && test(row)) chosen.push(row);
    }
    return chosen;
  }

  _act(kind, rows) {
    const ids = rows.map((row) => row.id).filter((id) => !this.rows.busy.has(id));
    if (!ids.length) return;
    for (const id of ids) this.rows.busy.add(id);
    setText(this.said, kind === "cancel" ? "Canceling…" : "Retrying…");
    this.shared.notify("busy", {});
    this.model.send({ t: kind, ids });
  }

  askToCancel() {
    const one = this.selected.size === 0;
    const rows = one ? [this.active].filter((row) => row?.cancelable) : this._chosen((row) => row.cancelable);
    if (!rows.length) {
      setText(this.said, !one ? "All selected items have finished, or are another user's."
        : this.active?.theirs ? "This item is another user's." : "This item has finished.");
      return;
    }
    const hidden = rows.filter((row) => !this.members.has(row)).length;
    const what = (rows.length === 1 ? `item ${rows[0].id}` : `${rows.length} selected items`) +
      (hidden ? `, ${hidden === rows.length ? "" : `${hidden} of them `}not shown` : "");
    const yes = make("button", "iwq-small iwq-danger", "cancel");
    const no = make("button", "iwq-small", "keep");
    yes.type = no.type = "button";
    const end = () => {
      this.ask.hidden = true;
      this.focusRow();
    };
    yes.addEventListener("click", () => { this._act("cancel", rows.filter((row) => row.cancelable)); end(); });
    no.addEventListener("click", end);
    this.ask.onkeydown = (event) => {
      if (event.key === "Escape") end();
      if (event.key === "ArrowRight" || event.key === "ArrowLeft") (event.target === yes ? no : yes).focus();
    };
    this.ask.replaceChildren(make("span", "", `Cancel ${what}?`), yes, no);
    this.ask.hidden = false;
    yes.focus();
  }

  /** Open a row, or close it; null closes. With `reveal`, as by key, scroll to its detail; under a pointer no row moves. */
  toggle(row, reveal = false) {
    if (this.open) this.shared.open(this.open.id, -1);
    this.open = row && row !== this.open ? row : null;
    this.revealing = reveal;
    this.detailH = 0;
    this.detail.cell.replaceChildren();
    if (this.open) {
      this._fillDetail();
      this.shared.open(this.open.id, 1);
    }
    this.render();
    if (this.open) {
      this.detailH = this.detail.element.offsetHeight;
      this.render();
      this.reveal();
    }
  }

  /** Scroll to show as much of the detail as fits under its row, unless the user did something else meanwhile. */
  reveal() {
    if (!this.revealing || this._openIndex < 0) return;
    const top = this.y(this._openIndex);
    const bottom = top + ROW_H + this.detailH;
    this.grid.scrollTop = Math.min(top, Math.max(this.grid.scrollTop, bottom - this.viewH));
  }

  _select(ids) {
    this.selected = new Set(ids);
    this._save("selected", [...this.selected].sort((a, b) => a - b));
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
    this._save("sort", sort === name ? `-${name}` : sort === `-${name}` ? name : name === "item" ? "-item" : name);
  }

  /** Remember what the pointer goes down on: the click is about that, even if rows move before the pointer is up. */
  _press(event) {
    const row = event.target.closest(".iwq-row")?._row;
    this.pressed = row ? { row, target: event.target, x: event.clientX, y: event.clientY } : null;
  }

  /** The row and element that a click is about; null if the pointer was dragged to select text. */
  _clicked(event) {
    const { pressed } = this;
    this.pressed = null;
    if (!pressed || event.detail === 0) return { row: event.target.closest(".iwq-row")?._row, target: event.target };
    const moved = Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y);
    return moved > DRAG_PX ? null : pressed;
  }

  _click(event) {
    const header = event.target.closest("[data-column]");
    if (header && this.head.contains(header)) {
      if (header === this.all) this._selectAll();
      else this.sortBy(header.dataset.column);
      return;
    }
    const clicked = this._clicked(event);
    if (!clicked?.row) return;
    const { row, target } = clicked;
    const button = target.closest(".iwq-act");
    this.active = row;
    if (button) {
      if (button.getAttribute("aria-disabled") !== "true") this._act(button.dataset.act, [row]);
    } else if (event.shiftKey) {
      this._selectRange(row);
    } else if (target.closest(".iwq-check") || event.ctrlKey || event.metaKey) {
      this._toggleSelected(row);
    } else if (event.detail < 2) {
      this.toggle(row); // a double click selects a word
    }
    this.render();
  }

  /** Scroll to an item and focus it, clearing filters that hide it. */
  showItem(id) {
    const row = this.rows.byId.get(id);
    this.toShow = this.grid.clientHeight ? null : id; // its tab may not be shown yet
    if (!row || this.toShow !== null) return;
    this.viewH = Math.max(ROW_H, this.grid.clientHeight - ROW_H);
    if (!this.members.has(row)) {
      this._save("filters", {});
      this.arrange();
      setText(this.said, `Cleared the filters, which hid item ${id}.`);
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
    else if (top + ROW_H > this.grid.scrollTop + view) this.grid.scrollTop = top + ROW_H - view;
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
    if (this.detail.element.contains(event.target)) {
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
    const onButton = event.target.closest(".iwq-act");
    const at = this.active ? this.list.indexOf(this.active) : -1;
    const page = Math.max(1, Math.floor(this.viewH / ROW_H) - 1);
    const keys = {
      ArrowDown: () => this._go(at + 1, event),
      ArrowUp: () => (at <= 0 ? this.head.querySelector("[data-column]:not([data-column=''])")?.focus() : this._go(at - 1, event)),
      PageDown: () => this._go(at + page, event),
      PageUp: () => this._go(at - page, event),
      Home: () => this._go(0, event),
      End: () => this._go(this.list.length - 1, event),
      ArrowRight: () => this.elements.get(this.active)?._action._button?.focus(),
      ArrowLeft: () => this.focusRow(),
      Escape: () => (onButton ? this.focusRow() : this.open ? this.toggle(null) : this.selected.size && this._select([])),
      Delete: () => this.askToCancel(),
      Backspace: () => this.askToCancel(),
    };
    if (!onButton) {
      keys[" "] = () => this.active && this._toggleSelected(this.active);
      keys.Enter = () => this.active && this.toggle(this.active, true);
    }
    if ((event.ctrlKey || event.metaKey) && event.key === "a") keys.a = () => this._selectAll();
    else if (event.ctrlKey || event.metaKey || event.altKey) return;
    act(keys, event);
  }

  _keyInHead(event) {
    const cells = [...this.head.querySelectorAll("[data-column]")];
    const at = cells.indexOf(event.target);
    act({
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

/** Run the action of a key, and keep the event from others. */
function act(keys, event) {
  const action = keys[event.key];
  if (!action) return;
  event.preventDefault();
  event.stopPropagation();
  action();
}

const cleaned = (filters) => Object.fromEntries(Object.entries(filters).filter(([, value]) => value));

export default () => {
  let shared = null;
  return {
    initialize({ model }) {
      shared = new Shared(model);
      return () => shared.end(model);
    },
    render({ model, el }) {
      const view = new TableView(model, shared, el);
      return () => view.close();
    },
  };
};
