// What a person does with the table: clicks, keys, selecting, sorting, opening, canceling and retrying.

/** So far the pointer may move in a click; farther, it marks text. */
const DRAG_PX = 4;

class TableActions extends TableWindow {
  /** The cancelable or retriable among the selected rows, or else the active one. */
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

  /** Open a row, or close it. By key its detail is brought into sight; under a pointer no row moves. */
  toggle(row, reveal = false) {
    if (this.open) this.shared.open(this.open.id, -1);
    this.open = row && row !== this.open ? row : null;
    this.revealing = reveal;
    this.detailH = 0;
    this.detailCell.replaceChildren();
    if (this.open) {
      this._fillDetail();
      this.shared.open(this.open.id, 1);
    }
    this.render();
    if (this.open) {
      this.detailH = this.detail.offsetHeight;
      this.render();
      this.reveal();
    }
  }

  /** Show as much of the detail as there is room for under its row, unless something else was done meanwhile. */
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

  /** A range begins here, beside what is selected already. */
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

  /** Remember what the pointer goes down on: that is what a click is about, also if rows move before it comes up. */
  _press(event) {
    const row = event.target.closest(".iwq-row")?._row;
    this.pressed = row ? { row, target: event.target, x: event.clientX, y: event.clientY } : null;
  }

  /** What a click is about; null where text was marked by dragging, or where there is no row. */
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
      this.toggle(row); // the second click of two marks a word
    }
    this.render();
  }

  /** Bring an item into sight, with the focus; filters that hide it are emptied, and that is said. */
  showItem(id) {
    const row = this.rows.byId.get(id);
    this.toShow = this.grid.clientHeight ? null : id; // in a tab that is still to be shown
    if (!row || this.toShow !== null) return;
    this.viewH = Math.max(ROW_H, this.grid.clientHeight - ROW_H);
    if (!this.members.has(row)) {
      this._save("filters", {});
      this.arrange();
      setText(this.said, `The filters were emptied, as they hid item ${id}.`);
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
      keys.Enter = () => this.active && this.toggle(this.active, true);
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
