// A button, with a choice beside it where there are choices. What a click sends is what the page showed: what the button
// was about, what was chosen, and what stood in the fields that it reads. Messages of different widgets may reach a
// kernel late and in any order, so none of it is left to them.

const MODEL = "IPY_MODEL_";

// While its button has the focus, it is not taken away: one that cannot be pressed then only says so.
const focused = (element) => element.getRootNode().activeElement === element;

const outermost = (el) => {
  let found = null;
  for (let at = el; at; at = at.parentElement) if (at.classList.contains("iw")) found = at;
  return found;
};

const put = (element, name, value) => {
  if (element[name] !== value) element[name] = value;
};

class Press {
  constructor(model, el) {
    this.model = model;
    this.el = el;
    this.fields = [];
    this.chosen = null; // [key, name]; it stays chosen when it is no longer offered, while the pointer or the focus is here
    this.button = document.createElement("button");
    this.button.type = "button";
    this.choice = document.createElement("select");
    this.choice.id = `iw-choice-${Math.random().toString(36).slice(2)}`; // each button may have this module for itself
    this.name = document.createElement("label");
    this.name.className = "widget-label";
    this.name.htmlFor = this.choice.id;
    this.beside = document.createElement("div");
    this.beside.className = "jupyter-widgets widget-inline-hbox widget-dropdown jupyter-widget-dropdown";
    this.beside.append(this.name, this.choice);
    el.classList.add("iw-press");
    el.append(this.beside, this.button);
    this.button.addEventListener("click", () => this.click());
    const draw = () => this.draw();
    this.choice.addEventListener("change", () => {
      this.chosen = this.model.get("choices").find(([key]) => key === this.choice.value) ?? this.chosen;
      this.draw();
    });
    el.addEventListener("pointerleave", draw);
    el.addEventListener("focusout", () => setTimeout(draw)); // by then it is known where the focus went
    const resolve = () => this.resolve();
    const heard = (message) => message.t === "focus" && this.focus();
    model.on("change", draw);
    model.on("change:reads", resolve);
    model.on("msg:custom", heard);
    this.off = () => {
      model.off("change", draw);
      model.off("change:reads", resolve);
      model.off("msg:custom", heard);
    };
    this.resolve();
    this.draw();
  }

  /** The models of the fields, while there is time: a click waits for nothing. */
  resolve() {
    if (!this.model.widget_manager) return; // marimo has none, nor fields of ours
    const ids = this.model.get("reads").map((reference) => reference.slice(MODEL.length));
    const found = ids.map(async (id) => [id, await this.model.widget_manager.get_model(id)]);
    Promise.all(found).then((fields) => { this.fields = fields; });
  }

  /** Take the focus from a button, which may be gone by now; not from where a person may be typing. */
  focus() {
    const active = document.activeElement;
    const given = active?.tagName === "BUTTON" && outermost(this.el)?.contains(active);
    if (given || active === document.body) this.button.focus();
  }

  click() {
    if (this.button.getAttribute("aria-disabled") === "true") return;
    const values = Object.fromEntries(this.fields.map(([id, field]) => [id, field.get("value")]));
    this.model.send({ t: "press", about: this.model.get("about"), choice: this.chosen?.[0] ?? null, values });
  }

  draw() {
    const chooses = this.model.get("chooses");
    put(this.beside.style, "display", chooses ? "" : "none");
    const possible = !chooses || this.drawChoices(chooses);
    const style = this.model.get("button_style");
    put(this.button, "className", `jupyter-widgets jupyter-button widget-button${style && ` mod-${style}`}`);
    put(this.button, "textContent", this.model.get("description"));
    put(this.button, "title", this.model.get("tooltip"));
    const [busy, off] = [this.model.get("busy"), this.model.get("disabled") || !possible];
    this.el.classList.toggle("iw-busy", busy);
    this.button.setAttribute("aria-disabled", busy || off);
    put(this.button, "disabled", off && !busy && !focused(this.button));
  }

  /** Whether what is chosen is still offered. */
  drawChoices(chooses) {
    const choices = [...this.model.get("choices")];
    const offered = () => choices.some(([key]) => key === this.chosen?.[0]);
    if (!offered() && !(this.chosen && this.el.matches(":hover, :focus-within"))) this.chosen = choices[0] ?? null;
    const possible = offered();
    if (this.chosen && !possible) choices.unshift([this.chosen[0], this.chosen[1], "finished"]);
    put(this.name, "textContent", chooses);
    put(this.choice, "disabled", !choices.length);
    // Options are changed, not made anew: the list may be open.
    const options = this.choice.options;
    while (options.length > choices.length) options.remove(options.length - 1);
    choices.forEach(([key, name, note], i) => {
      if (i === options.length) this.choice.append(document.createElement("option"));
      put(options[i], "value", key);
      put(options[i], "textContent", `${name} (${note})`);
    });
    put(this.choice, "value", this.chosen?.[0] ?? "");
    return possible;
  }
}

export default {
  render({ model, el }) {
    const press = new Press(model, el);
    return () => press.off();
  },
};
