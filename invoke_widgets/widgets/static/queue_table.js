// The table as a whole: what it is made of and what it listens to; and the anywidget's entry.

class TableView extends TableActions {
  constructor(model, shared, el) {
    super();
    this.model = model;
    this.shared = shared;
    this.rows = shared.rows;
    this.list = []; // the rows that pass the filters, in order
    this.members = new Set(); // the same
    this.active = null; // the row with the tab stop
    this.open = null; // the row whose detail is shown
    this.mark = null; // where a range of selected rows began
    this.unranged = new Set(); // what was selected before the range
    this.toShow = null; // the item to bring into sight once the table is in sight itself
    this.heldAtTop = false; // whether the newest were in sight before a row was held under the pointer
    this.viewH = ROW_H * 12;
    this.detailH = 0;
    this.revealing = false; // whether the detail, as it grows, is kept in sight
    this.padTop = 0; // room above and below the rows while the row under the pointer is held in place
    this.padBottom = 0;
    this.late = new Set(); // rows under the pointer whose place is put right when the pointer leaves
    this.pointer = null;
    this.pressed = null; // what the pointer went down on
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
      redraw: () => this._drawAround(),
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
    // A click comes right after it, or not at all.
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
      const height = this.open ? this.detail.offsetHeight : 0;
      if (height !== this.detailH) {
        this.detailH = height;
        this.render();
        this.reveal();
      }
    });
    this.sizes.observe(this.detail);
    this.resized = new ResizeObserver(() => {
      // Held in sight at the right only where it would be out of it: in each row that costs scrolling speed.
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
    clearTimeout(this._ordering);
    for (const kind of ["pointerup", "pointercancel"]) document.removeEventListener(kind, this.released);
    if (this.open) this.shared.open(this.open.id, -1);
  }

  _save(name, value) {
    this.model.set(name, value);
    this.model.save_changes();
  }

  // -- events from the model --------------------------------------------------------------------------------------

  _event(kind, data) {
    if (kind === "say") {
      setText(this.said, data.text);
    } else if (kind === "busy") {
      this.render();
    } else if (kind === "show") {
      this.showItem(data.id);
    } else if (kind === "detail" && this.open?.id === data.id) {
      this._fillDetail();
    } else if (kind === "picture" && this.open?.id === data.id) {
      this._fillPicture(data);
    }
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
