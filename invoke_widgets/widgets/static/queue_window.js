// The table's elements: a header, a window of row elements over any number of rows, and the opened row's detail.

const OVERSCAN_PAGES = 1.5;
const LEAST_OVERSCAN = 12;

/** Draws. Makes use of the rows' cells, of the toolbar, and of what was chosen, which a subclass knows. */
class TableWindow extends TableOrder {
  _newColumns() {
    this.columns = this.model.get("columns").filter((name) => name in CELLS);
    const sort = this.model.get("sort");
    this.grid.style.setProperty("--iwq-columns",
      ["32px", ...this.columns.map((name) => WIDTHS[name]), "40px"].join(" "));
    this.grid.style.setProperty("--iwq-least",
      `${72 + this.columns.reduce((sum, name) => sum + Number(/\d+/.exec(WIDTHS[name])[0]), 0)}px`);
    this.grid.setAttribute("aria-colcount", String(this.columns.length + 2));
    const focused = this.head.contains(focusNear(this.head)) ? focusNear(this.head).dataset.column : null;
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
    if (this.late.size && !this.late.has(this.underPointer())) this.letGo();
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

  /** Once nothing moves: have the elements stand in the order of their rows, as a screen reader reads them. */
  _orderLater() {
    clearTimeout(this._ordering);
    this._ordering = setTimeout(() => {
      // An element that is moved in the page would lose a click that has begun.
      if (this.pressed) this._orderLater();
      else this._order();
    }, 200);
  }

  _order() {
    const rows = [...this.elements].sort(([, a], [, b]) => a._y - b._y).map(([, element]) => element);
    const open = this.elements.get(this.open);
    const wanted = rows.flatMap((element) => (element === open && this.detail.isConnected ? [element, this.detail] : [element]));
    const focused = wanted.findIndex((element) => element.contains(focusNear(this.body)));
    // What has the focus stays, since moving it would take the focus away; the others are put around it.
    for (let i = focused < 0 ? wanted.length - 2 : focused - 1; i >= 0; i--) {
      if (wanted[i].nextSibling !== wanted[i + 1]) wanted[i + 1].before(wanted[i]);
    }
    for (let i = Math.max(focused, 0) + 1; focused >= 0 && i < wanted.length; i++) {
      if (wanted[i].previousSibling !== wanted[i - 1]) wanted[i - 1].after(wanted[i]);
    }
  }

  /** Show the opened row's detail as it is now; what is unfolded, scrolled to or focused in it stays so. */
  _fillDetail() {
    if (!this.open) return;
    const known = this.shared.details.get(this.open.id);
    const cell = this.detailCell;
    const parts = (selector) => [...cell.querySelectorAll(selector)];
    const unfolded = parts("details").map((part) => part.open);
    const scrolled = [cell, ...parts(".iwq-pre")].map((part) => [part.scrollTop, part.scrollLeft]);
    const focused = parts("button, summary, [tabindex]").indexOf(focusNear(cell));
    cell.replaceChildren(detailContent(this.open, known));
    parts("details").forEach((part, i) => { part.open = unfolded[i] ?? false; });
    [cell, ...parts(".iwq-pre")].forEach((part, i) => { if (scrolled[i]) [part.scrollTop, part.scrollLeft] = scrolled[i]; });
    if (focused >= 0) parts("button, summary, [tabindex]")[focused]?.focus({ preventScroll: true });
  }

  /** Show a picture of the opened row that has come, in its place. */
  _fillPicture({ preview, image }) {
    const known = this.shared.details.get(this.open.id);
    if (preview !== undefined) {
      const shown = this.detailCell.querySelector(".iwq-preview");
      if (shown && isImageUrl(preview)) shown.src = preview;
      else this._fillDetail();
    } else {
      const shown = [...this.detailCell.querySelectorAll(".iwq-figure")].find((figure) => figure.dataset.name === image);
      shown?.replaceWith(picture(known.urls.get(image), image));
    }
  }
}
