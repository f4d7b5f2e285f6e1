// The table itself: a window of row elements over any number of rows, selection, keyboard, and the anywidget's entry.

const ROW_H = 28;
const OVERSCAN_PAGES = 1.5;
const LEAST_OVERSCAN = 12;

class TableView {
  constructor(model, shared, el) {
    this.model = model;
    this.shared = shared;
    this.rows = shared.rows;
    this.list = []; // the rows that pass the filters, in order
    this.members = new Set(); // the same
    this.active = null; // the row with the tab stop
    this.open = null; // the row whose detail is shown
    this.mark = null; // where a range of selected rows began
    this.viewH = ROW_H * 12;
    this.detailH = 0;
    this.padTop = 0; // room above and below the rows while the row under the pointer is held in place
    this.padBottom = 0;
    this.late = new Set(); // rows under the pointer whose place is put right when the pointer leaves
    this.pointer = null;
    this.elements = new Map(); // row -> element
    this.selected = new Set(model.get("selected"));
    this._build(el);
    this._listen();
    this._newColumns();
    this.arrange();
    this.timer = setInterval(() => document.hidden || this._window(true), 1000); // times tick here, without traffic
  }

  _build(el) {
    this.root = make("div", "iw iwq");
    // JupyterLab would otherwise take arrows, Enter and Delete for its cells.
    this.root.setAttribute("data-lm-suppress-shortcuts", "true");
    this.toolbar = new Toolbar({
      filter: (changes) => this._save("filters", cleaned({ ...this.model.get("filters"), ...changes })),
      columns: (names) => this._save("columns", names),
      act: (kind) => (kind === "cancel" ? this.askToCancel() : this._act("retry", this._chosen((r) => r.retriable))),
    });
    this.grid = make("div", "iwq-grid");
    this.grid.setAttribute("role", "grid");
    this.grid.setAttribute("aria-label", "queue");
    this.grid.setAttribute("aria-multiselectable", "true");
    this.grid.style.height = this.model.get("height");
    const headGroup = make("div", "iwq-headgroup");
    headGroup.setAttribute("role", "rowgroup");
    this.head = make("div", "iwq-row iwq-head");
    this.head.setAttribute("role", "row");
    this.head.setAttribute("aria-rowindex", "1");
    headGroup.append(this.head);
    this.body = make("div", "iwq-body");
    this.body.setAttribute("role", "rowgroup");
    this.detail = make("div", "iwq-detail");
    this.detail.setAttribute("role", "row");
    this.detailCell = make("div", "iwq-detailcell");
    this.detailCell.setAttribute("role", "gridcell");
    this.detail.append(this.detailCell);
    this.empty = make("div", "iwq-empty");
    this.grid.append(headGroup, this.body);
    this.ask = make("div", "iwq-ask");
    this.ask.setAttribute("role", "group");
    this.ask.setAttribute("aria-label", "confirm");
    this.ask.hidden = true;
    this.said = make("div", "iwq-said");
    this.said.setAttribute("role", "status");
    const frame = make("div", "iwq-frame");
    frame.append(this.grid, this.empty);
    this.root.append(this.toolbar.element, frame, this.ask, this.said);
    el.append(this.root);
  }

  _listen() {
    this.frame = null;
    this.grid.addEventListener("scroll", () => this._scrolled(), { passive: true });
    this.grid.addEventListener("pointermove", (event) => {
      this.pointer = { x: event.clientX, y: event.clientY };
      if (this.late.size && !this.late.has(this.underPointer())) this.settle();
    }, { passive: true });
    this.grid.addEventListener("pointerleave", () => {
      this.pointer = null;
      this.settle();
    });
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
      const height = this.open ? this.detail.offsetHeight : 0;
      if (height !== this.detailH) {
        this.detailH = height;
        this.render();
      }
    });
    this.sizes.observe(this.detail);
    this.resized = new ResizeObserver(() => {
      // Held in sight at the right only where it would be out of it: in each row that costs scrolling speed.
      this.grid.classList.toggle("iwq-wide", this.grid.scrollWidth > this.grid.clientWidth);
      this.viewH = Math.max(ROW_H, this.grid.clientHeight - ROW_H);
      this.render();
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
    const told = (touched) => (touched ? this.update(touched) : this.arrange());
    this.shared.views.add(told);
    const event = (kind, data) => this._event(kind, data);
    this.shared.listeners.add(event);
    this.offs.push(() => this.shared.views.delete(told), () => this.shared.listeners.delete(event));
  }

  close() {
    clearInterval(this.timer);
    this.sizes.disconnect();
    this.resized.disconnect();
    for (const off of this.offs) off();
    if (this.open) this.model.send({ t: "close", ids: [this.open.id] });
  }

  _save(name, value) {
    this.model.set(name, value);
    this.model.save_changes();
  }

  // -- order ------------------------------------------------------------------------------------------------------

  /** Put all rows in order anew. */
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

  /** Take rows that are new, changed or gone, and leave the row under the pointer where it is. */
  update(touched) {
    const sort = this.model.get("sort");
    const passes = sieve(this.model.get("filters"));
    const fixed = !passes && !sortsByWhatChanges(sort);
    const pointed = this.underPointer();
    const moving = [];
    for (const row of touched) {
      if (fixed && this.members.has(row) && !row.gone) continue;
      if (row === pointed && this.members.has(row)) this.late.add(row);
      else moving.push(row);
    }
    if (!moving.length) {
      this.render();
      return;
    }
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

  /** The pointer has left what was held: let everything take its place. */
  settle() {
    const late = new Set(this.late);
    this.late.clear();
    if (this.padTop || this.padBottom) {
      this.grid.scrollTop = Math.max(0, this.grid.scrollTop - this.padTop);
      this.padTop = this.padBottom = 0;
      this.render();
    }
    if (late.size) this.update(late);
  }

  _anchor() {
    if (this.body.contains(document.activeElement) && this.elements.has(this.active)) return this.active;
    return this.grid.scrollTop > 0 ? this.list[this.indexAt(this.grid.scrollTop)] ?? null : null;
  }

  /** Scroll so that row `index` is `before` pixels below the top; past the ends only for the sake of the pointer. */
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
      const focused = this.elements.get(this.active)?.contains(document.activeElement);
      this.active = this.list[Math.min(old, this.list.length - 1)] ?? null;
      this._refocus = focused;
    }
  }

  // -- geometry: rows of one height, with one opened row's detail between ------------------------------------------

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

  // -- drawing ----------------------------------------------------------------------------------------------------

  _newColumns() {
    this.columns = this.model.get("columns").filter((name) => name in CELLS);
    const sort = this.model.get("sort");
    this.grid.style.setProperty("--iwq-columns",
      ["32px", ...this.columns.map((name) => WIDTHS[name]), "40px"].join(" "));
    this.grid.style.setProperty("--iwq-least",
      `${72 + this.columns.reduce((sum, name) => sum + Number(/\d+/.exec(WIDTHS[name])[0]), 0)}px`);
    this.grid.setAttribute("aria-colcount", String(this.columns.length + 2));
    const focused = this.head.contains(document.activeElement) ? document.activeElement.dataset.column : null;
    const all = make("div", "iwq-cell iwq-check");
    all.setAttribute("role", "columnheader");
    this.all = make("span", "iwq-box");
    this.all.setAttribute("role", "checkbox");
    this.all.setAttribute("aria-label", "select all rows shown");
    this.all.tabIndex = -1;
    this.all.dataset.column = "";
    all.append(this.all);
    const cells = this.columns.map((name) => {
      const cell = make("div", `iwq-cell iwq-sort${NUMERIC.has(name) ? " iwq-number" : ""}`);
      cell.setAttribute("role", "columnheader");
      const by = sort.replace("-", "") === name ? (sort.startsWith("-") ? "descending" : "ascending") : "none";
      cell.setAttribute("aria-sort", by);
      cell.tabIndex = -1;
      cell.dataset.column = name;
      cell.title = `sort by ${name}`;
      cell.append(make("span", "", name));
      const arrow = make("span", "iwq-arrow", { ascending: "▲", descending: "▼", none: "" }[by]);
      arrow.setAttribute("aria-hidden", "true");
      cell.append(arrow);
      return cell;
    });
    const last = make("div", "iwq-cell iwq-last");
    last.setAttribute("role", "columnheader");
    last.append(make("span", "iwq-hidden", "action"));
    this.head.replaceChildren(all, ...cells, last);
    if (focused !== null) this.head.querySelector(`[data-column="${focused}"]`)?.focus();
    for (const element of this.elements.values()) element.remove();
    this.elements.clear();
    this.grid.classList.toggle("iwq-wide", this.grid.scrollWidth > this.grid.clientWidth);
    this.render();
  }

  _newRow() {
    const element = make("div", "iwq-row");
    element.setAttribute("role", "row");
    element.tabIndex = -1;
    const check = make("div", "iwq-cell iwq-check");
    check.setAttribute("role", "gridcell");
    const box = make("span", "iwq-box");
    box.setAttribute("aria-hidden", "true"); // the row's aria-selected says it
    check.append(box);
    element._cells = this.columns.map((name) => {
      const cell = make("div", `iwq-cell iwq-c-${name}${NUMERIC.has(name) ? " iwq-number" : ""}`);
      cell.setAttribute("role", "gridcell");
      return cell;
    });
    element._action = make("div", "iwq-cell iwq-last");
    element._action.setAttribute("role", "gridcell");
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
      element._cells[0].setAttribute("aria-expanded", String(this.open === row)); // rows of a grid cannot have it
      element.classList.toggle("iwq-odd", index % 2 === 1);
      element.classList.toggle("iwq-gone", row.gone);
      element.tabIndex = row === this.active ? 0 : -1;
    }
    this.columns.forEach((name, i) => CELLS[name](element._cells[i], row, this.rows, now));
    actionCell(element._action, row, this.rows.busy.has(row.id));
  }

  _scrolled() {
    // The wheel may have taken the held row away from under the pointer.
    if (this.late.size && !this.late.has(this.underPointer())) this.settle();
    this._window(false);
  }

  /** Show everything as it is now. */
  render() {
    this._window(true);
    this._drawAround();
  }

  /**
   * Bring the elements in line with the rows: those in sight, some pages around them, and the one with the focus.
   * While scrolling only rows that come into the window are painted (`all` is false).
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
    if (this._refocus) {
      this._refocus = false;
      this.elements.get(this.active)?.focus({ preventScroll: true });
    }
  }

  _drawAround() {
    const unfinished = this._chosen((row) => row.unfinished).length;
    const retriable = this._chosen((row) => row.retriable).length;
    this.toolbar.draw({
      rows: this.rows,
      filters: this.model.get("filters"),
      columns: this.columns,
      shown: this.list.length - [...this.late].filter((row) => row.gone).length,
      cancelable: this.selected.size ? unfinished : 0,
      retriable: this.selected.size ? retriable : 0,
    });
    const all = this.list.length > 0 && this.list.length <= this.selected.size &&
      this.list.every((row) => this.selected.has(row.id));
    this.all.setAttribute("aria-checked", all ? "true" : this.selected.size ? "mixed" : "false");
    const filtered = Object.keys(this.model.get("filters")).length > 0 && this.rows.ordered.length > 0;
    this.empty.hidden = this.list.length > 0;
    // The tab stop, while there is no row to have it.
    this.head.querySelector(".iwq-sort").tabIndex = this.list.length ? -1 : 0;
    setText(this.empty, this.rows.facts.unread ? "Reading the queue…"
      : filtered ? "No item matches the filters." : "The queue is empty.");
  }

  _drawDetail() {
    const index = this._openIndex;
    if (index < 0) {
      if (this.detail.isConnected) this.detail.remove();
      return;
    }
    if (!this.detail.isConnected) this.body.append(this.detail);
    this.detail.style.transform = `translateY(${this.y(index) + ROW_H}px)`;
    this.detail.setAttribute("aria-rowindex", String(index + 2));
    this.detail.setAttribute("aria-label", `detail of item ${this.open.id}`);
    this.detailCell.setAttribute("aria-colspan", String(this.columns.length + 2));
  }

  _fillDetail() {
    if (!this.open) return;
    const known = this.shared.details.get(this.open.id);
    const unfolded = [...this.detailCell.querySelectorAll("details")].map((part) => part.open);
    this.detailCell.replaceChildren(detailContent(this.open, known));
    this.detailCell.querySelectorAll("details").forEach((part, i) => { part.open = unfolded[i] ?? false; });
  }

  // -- events from the model --------------------------------------------------------------------------------------

  _event(kind, data) {
    if (kind === "say") {
      setText(this.said, data.text);
    } else if (kind === "busy") {
      this.render();
    } else if (kind === "detail" && this.open?.id === data.id) {
      this._fillDetail();
    }
  }

  // -- what a person does -----------------------------------------------------------------------------------------

  /** The unfinished or retriable among the selected rows, or else the active one. */
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
    this.shared.tell("busy", {});
    this.model.send({ t: kind, ids });
  }

  askToCancel() {
    const one = this.selected.size === 0;
    const rows = one ? [this.active].filter((row) => row?.unfinished) : this._chosen((row) => row.unfinished);
    if (!rows.length) {
      setText(this.said, one ? "This item has finished." : "All selected items have finished.");
      return;
    }
    const what = rows.length === 1 ? `item ${rows[0].id}` : `${rows.length} selected items`;
    const yes = make("button", "iwq-small iwq-danger", "cancel");
    const no = make("button", "iwq-small", "keep");
    yes.type = no.type = "button";
    const end = () => {
      this.ask.hidden = true;
      this.focusRow();
    };
    yes.addEventListener("click", () => { this._act("cancel", rows.filter((row) => row.unfinished)); end(); });
    no.addEventListener("click", end);
    this.ask.onkeydown = (event) => {
      if (event.key === "Escape") end();
      if (event.key === "ArrowRight" || event.key === "ArrowLeft") (event.target === yes ? no : yes).focus();
    };
    this.ask.replaceChildren(make("span", "", `Cancel ${what}?`), yes, no);
    this.ask.hidden = false;
    yes.focus();
  }

  toggle(row) {
    if (this.open) this.model.send({ t: "close", ids: [this.open.id] });
    this.open = row && row !== this.open ? row : null;
    this.detailH = 0;
    this.detailCell.replaceChildren();
    if (this.open) {
      this._fillDetail();
      this.model.send({ t: "open", ids: [this.open.id] });
    }
    this.render();
    if (this.open) {
      this.detailH = this.detail.offsetHeight;
      this.render();
    }
  }

  _select(ids) {
    this.selected = new Set(ids);
    this._save("selected", [...this.selected].sort((a, b) => a - b));
    this.render();
  }

  _toggleSelected(row) {
    const ids = new Set(this.selected);
    if (!ids.delete(row.id)) ids.add(row.id);
    this.mark = row;
    this._select(ids);
  }

  _selectRange(row) {
    const a = Math.max(0, this.list.indexOf(this.mark ?? row));
    const b = this.list.indexOf(row);
    this._select([...this.selected, ...this.list.slice(Math.min(a, b), Math.max(a, b) + 1).map((r) => r.id)]);
  }

  _selectAll() {
    const ids = this.list.map((row) => row.id);
    this._select(ids.every((id) => this.selected.has(id)) ? [] : ids);
  }

  sortBy(name) {
    const sort = this.model.get("sort");
    this._save("sort", sort === name ? `-${name}` : sort === `-${name}` ? name : name === "item" ? "-item" : name);
  }

  _click(event) {
    const header = event.target.closest("[data-column]");
    if (header && this.head.contains(header)) {
      if (header === this.all) this._selectAll();
      else this.sortBy(header.dataset.column);
      return;
    }
    const row = event.target.closest(".iwq-row")?._row;
    if (!row) return;
    const button = event.target.closest(".iwq-act");
    this.active = row;
    if (button) {
      if (button.getAttribute("aria-disabled") !== "true") this._act(button.dataset.act, [row]);
    } else if (event.shiftKey) {
      this._selectRange(row);
    } else if (event.target.closest(".iwq-check") || event.ctrlKey || event.metaKey) {
      this._toggleSelected(row);
    } else if (!String(window.getSelection()).length) {
      this.toggle(row);
    }
    this.render();
  }

  focusRow() {
    const element = this.elements.get(this.active);
    if (element) element.focus({ preventScroll: true });
  }

  _go(index, event) {
    if (!this.list.length) return;
    const at = Math.max(0, Math.min(this.list.length - 1, index));
    const before = this.active;
    this.active = this.list[at];
    const top = this.y(at);
    const view = this.viewH;
    if (top < this.grid.scrollTop) this.grid.scrollTop = top;
    else if (top + ROW_H > this.grid.scrollTop + view) this.grid.scrollTop = top + ROW_H - view;
    this.render();
    this.focusRow();
    if (event.shiftKey) {
      this.mark ??= before;
      this._selectRange(this.active);
    } else {
      this.mark = null;
    }
  }

  _key(event) {
    const inDetail = this.detail.contains(event.target);
    if (inDetail) {
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
      keys.Enter = () => this.active && this.toggle(this.active);
    }
    if ((event.ctrlKey || event.metaKey) && event.key === "a") keys.a = () => this._selectAll();
    else if (event.ctrlKey || event.metaKey || event.altKey) return;
    const action = keys[event.key];
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    action();
  }

  _keyInHead(event) {
    const cells = [...this.head.querySelectorAll("[data-column]")];
    const at = cells.indexOf(event.target);
    const keys = {
      ArrowRight: () => cells[Math.min(cells.length - 1, at + 1)].focus(),
      ArrowLeft: () => cells[Math.max(0, at - 1)].focus(),
      Home: () => cells[0].focus(),
      End: () => cells[cells.length - 1].focus(),
      ArrowDown: () => this.focusRow(),
      Enter: () => event.target.click(),
      " ": () => event.target.click(),
    };
    const action = keys[event.key];
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    action();
  }
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
