// Above the rows: the filters, the column menu, and the buttons for the selected rows.

const MOST_OPTIONS = 100;

function selectBox(label) {
  return make("select", "iwq-select", null, { "aria-label": label });
}

function option(value, text) {
  const element = make("option", "", text);
  element.value = value;
  return element;
}

/** Give a select box the options in `list`, as [value, text], and choose one. */
function setOptions(box, list, chosen) {
  const key = JSON.stringify(list);
  if (box._key !== key && !hasFocus(box)) { // not while it may be open
    box._key = key;
    box.replaceChildren(...list.map(([value, text]) => option(value, text)));
  }
  if (box.value === chosen) return;
  if (![...box.options].some(({ value }) => value === chosen)) box.append(option(chosen, shortId(chosen)));
  box.value = chosen;
}

class Toolbar {
  /** `on` has filter(changes), columns(names), act(kind), redraw(). */
  constructor(on) {
    this.element = make("div", "iwq-toolbar");
    this.status = selectBox("status");
    this.batch = selectBox("batch");
    this.destination = selectBox("destination");
    this.search = make("input", "iwq-search");
    this.search.type = "search";
    this.search.placeholder = "search";
    this.search.setAttribute("aria-label", "search the rows");
    this.count = make("span", "iwq-count");
    this.cancel = make("button", "iwq-small iwq-of-selected");
    this.retry = make("button", "iwq-small iwq-of-selected");
    this.cancel.type = this.retry.type = "button";
    this.menu = make("details", "iwq-menu");
    this.menu.append(make("summary", "", "columns"));
    this.choices = make("div", "iwq-choices");
    this.menu.append(this.choices);
    this.element.append(this.status, this.batch, this.destination, this.search, this.count, this.cancel, this.retry,
      this.menu);
    for (const name of ["status", "batch", "destination"]) {
      this[name].addEventListener("change", () => on.filter({ [name]: this[name].value }));
    }
    this.element.addEventListener("focusout", () => queueMicrotask(on.redraw)); // for options that could not change while a box had the focus
    let wait = null;
    this.search.addEventListener("input", () => {
      clearTimeout(wait);
      wait = setTimeout(() => on.filter({ text: this.search.value }), 120);
    });
    this.cancel.addEventListener("click", () => on.act("cancel"));
    this.retry.addEventListener("click", () => on.act("retry"));
    this.menu.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      this.menu.open = false;
      this.menu.firstChild.focus();
    });
    this.menu.addEventListener("focusout", (event) => {
      if (event.relatedTarget && !this.menu.contains(event.relatedTarget)) this.menu.open = false;
    });
    for (const name of Object.keys(CELLS)) {
      const label = make("label", "");
      const box = make("input");
      box.type = "checkbox";
      box.value = name;
      box.addEventListener("change", () => {
        const names = [...this.choices.querySelectorAll("input:checked")].map((input) => input.value);
        if (names.length) on.columns(names);
        else box.checked = true;
      });
      label.append(box, document.createTextNode(` ${name}`));
      this.choices.append(label);
    }
  }

  /** Show the filters, the number of rows, and how many selected rows can be canceled or retried. */
  draw({ rows, filters, columns, shown, cancelable, retriable, members }) {
    const status = [["", "status: all"], ["unfinished", "unfinished"], ...STATUSES.map((s) => [s, s])];
    setOptions(this.status, status, filters.status ?? "");
    if (this._groups !== rows.groups) {
      this._groups = rows.groups;
      const counted = (map) => [...map].sort(([, a], [, b]) => b.newest - a.newest).slice(0, MOST_OPTIONS)
        .map(([id, { count }]) => [id, `${shortId(id)} (${count})`]);
      this._batches = [["", "batch: all"], ...counted(rows.batches)];
      this._destinations = [["", "destination: all"], ...counted(rows.destinations)];
    }
    setOptions(this.batch, this._batches, filters.batch ?? "");
    setOptions(this.destination, this._destinations, filters.destination ?? "");
    if (!hasFocus(this.search)) this.search.value = filters.text ?? "";
    for (const box of this.choices.querySelectorAll("input")) box.checked = columns.includes(box.value);
    const total = Math.max(rows.ordered.length + rows.facts.unread, rows.expected);
    const number = (n) => n.toLocaleString("en-US");
    setText(this.count, shown === total ? `${number(total)} ${total === 1 ? "item" : "items"}`
      : `${number(shown)} of ${number(total)}`);
    for (const [button, text, some] of [[this.cancel, "✕ cancel", cancelable], [this.retry, "↻ retry", retriable]]) {
      const hidden = some.filter((row) => !members.has(row)).length;
      // They keep their space: nothing may move when a row is selected.
      button.style.visibility = some.length ? "" : "hidden";
      setText(button, `${text} ${number(some.length)} selected${hidden ? `, ${number(hidden)} not shown` : ""}`);
      setTitle(button, button.textContent);
    }
  }
}
