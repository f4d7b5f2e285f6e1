// A workflow's own form. What is typed goes to the kernel as it is typed; the click brings all of it again.

const LINES = new Set(["text", "list"]);
const CHOICES = new Set(["choice", "model", "board"]);
const asLines = (value) => (Array.isArray(value) ? value.join("\n") : String(value ?? ""));

/** One field: its label, its control, and a button that gives it several values. */
function Field({ element, control, value, given, problem, onChange, onFile, id }) {
  const { name } = element;
  const [several, setSeveral] = useState(Array.isArray(given) && control.kind !== "list");
  const file = useRef(null);
  const picture = useRef(null);
  const change = (next) => onChange(name, next);
  const bad = problem ? "true" : null;
  const hint = [control.description, control.minimum !== undefined || control.maximum !== undefined ? `${control.minimum ?? "…"} to ${control.maximum ?? "…"}` : "", control.fed_by ? `now from ${control.fed_by}` : ""].filter(Boolean).join(" · ");
  const common = { id, "aria-invalid": bad, title: hint || null };
  const options = element.options?.length ? element.options : (control.choices ?? []).map((one) => [one, one]);
  const isNumber = control.kind === "integer" || control.kind === "number";
  let input;
  if (several && (control.kind === "text" || control.kind === "color")) {
    input = html`<textarea rows="4" ...${common} placeholder="one value per line" value=${asLines(value)} onInput=${(event) => change(event.target.value.split("\n").filter((line) => line.trim()))}></textarea>`;
  } else if (several && (CHOICES.has(control.kind) || control.kind === "switch")) {
    const all = control.kind === "switch" ? [[true, "on"], [false, "off"]] : options;
    const chosen = Array.isArray(value) ? value : [value];
    input = html`<div class="iwf-checks" role="group" aria-label=${name}>${all.map(([key, text]) => html`<label><input type="checkbox" checked=${chosen.includes(key)} onChange=${(event) => change(all.map(([one]) => one).filter((one) => (one === key ? event.target.checked : chosen.includes(one))))} />${text}</label>`)}</div>`;
  } else if (CHOICES.has(control.kind) || options.length) {
    input = html`<select ...${common} value=${value} onChange=${(event) => change(event.target.value)}>
      ${options.some(([key]) => key === value) ? "" : html`<option value=${value}>${value || "choose …"}</option>`}
      ${options.map(([key, text]) => html`<option key=${key} value=${key}>${text}</option>`)}</select>`;
  } else if (control.kind === "switch") {
    input = html`<input type="checkbox" ...${common} checked=${value === true} onChange=${(event) => change(event.target.checked)} />`;
  } else if (control.kind === "color") {
    input = html`<input type="color" ...${common} value=${String(value || "#000000").slice(0, 7)} onInput=${(event) => change(event.target.value)} />`;
  } else if (control.kind === "image") {
    const take = async (one) => { if (one) { picture.current = one.name; onFile(name, one.name, await one.arrayBuffer()); change(one.name); } };
    input = html`<div class="iwf-image" onDragOver=${(event) => event.preventDefault()} onDrop=${(event) => { event.preventDefault(); event.stopPropagation(); take(event.dataTransfer.files[0]); }}>
      <input type="file" accept="image/*" hidden ref=${file} onChange=${(event) => take(event.target.files[0])} />
      <input ...${common} value=${value} placeholder="name of a picture on the server" onInput=${(event) => change(event.target.value)} />
      <${Button} onClick=${() => file.current.click()}>Choose…<//></div>`;
  } else if (LINES.has(control.kind)) {
    const tall = control.kind === "list" || element.component === "textarea" || String(value).length > 60;
    input = tall ? html`<textarea rows=${control.kind === "list" ? 4 : 3} ...${common} value=${asLines(value)} onInput=${(event) => change(event.target.value)}></textarea>`
      : html`<input ...${common} value=${value} onInput=${(event) => change(event.target.value)} />`;
  } else if (isNumber) {
    const slides = element.component?.includes("slider") && control.minimum !== undefined && control.maximum !== undefined;
    input = html`<div class="iwf-number">${slides && html`<input type="range" aria-label=${`${name}, slider`} min=${control.minimum} max=${control.maximum} step=${control.step ?? "any"} value=${Number(value) || control.minimum} onInput=${(event) => change(event.target.value)} />`}
      <input inputmode="decimal" ...${common} value=${value} onInput=${(event) => change(event.target.value)} /></div>`;
  } else {
    input = html`<textarea rows="2" class="iw-mono" ...${common} value=${typeof value === "string" ? value : JSON.stringify(value)} onInput=${(event) => change(event.target.value)}></textarea>`;
  }
  const counted = Array.isArray(given) && control.kind !== "list" ? given.length : isNumber && typeof given === "string" ? sweepOf(given) : 0;
  const canVary = control.kind === "text" || control.kind === "color" || control.kind === "switch" || CHOICES.has(control.kind);
  const vary = () => {
    setSeveral(!several);
    change(several ? (Array.isArray(value) ? value[0] ?? control.value : value) : control.kind === "switch" ? [true, false] : [value].flat());
  };
  return html`<div class="iw-field iwf-field"><span class="iwf-label"><label class="iw-name" for=${id}>${name}${control.required ? html`<span class="iw-wrong" title="required"> *</span>` : ""}</label>
      ${counted > 1 && html`<span class="iw-label iw-run">sweep of ${count(counted)}</span>`}<span class="iw-grow"></span>
      ${canVary && html`<${Button} kind="link" class="iw-small" aria-pressed=${String(several)} aria-label=${`${several ? "One value for" : "Vary"} ${name}`} onClick=${vary}>${several ? "one value" : "vary"}<//>`}</span>
    ${input}
    ${problem && html`<div class="iw-wrong iw-small" role="alert">${problem}</div>`}</div>`;
}

/** How many values a text such as "1, 2, 3" or "10..50 step 10" stands for; 0 where it is one. */
function sweepOf(text) {
  const range = /^\s*(-?\d+)\s*\.\.\s*(-?\d+)(?:\s+step\s+(\d+))?\s*$/.exec(text);
  if (range) return Math.floor(Math.abs(range[2] - range[1]) / Number(range[3] ?? 1)) + 1;
  return text.includes(",") ? text.split(",").filter((one) => one.trim()).length : 0;
}

function WorkflowForm({ model }) {
  const [title, description, elements, more, controls, problems, plan, jobs, hasSeed] = useTraits(model, "title", "description", "elements", "more", "controls", "problems", "plan", "jobs", "has_seed");
  const [run, busy] = useAct();
  const [typed, change, sendNow] = useTyped(model);
  const prefix = useMemo(() => `iwf-${newPage()}`, []);
  const setValue = (name, value) => change({ values: { ...typed.values, [name]: value } });
  const sendFile = (field, name, content) => model.send({ t: "file", field, name }, undefined, [content]);
  const submit = () => run("submit", { form: sendNow() });
  const field = (element) => {
    const control = controls[element.name];
    const given = typed.values[element.name];
    return html`<${Field} key=${element.name} id=${`${prefix}-${Object.keys(controls).indexOf(element.name)}`} element=${element} control=${control} given=${given} value=${given ?? control.value} problem=${problems[element.name] ?? control.problem} onChange=${setValue} onFile=${sendFile} />`;
  };
  const draw = (element, index) => {
    if (element.kind === "field") return field(element);
    if (element.kind === "heading") return html`<h4 key=${index}>${element.text}</h4>`;
    if (element.kind === "text") return html`<p class="iw-dim iwf-text" key=${index}>${element.text}</p>`;
    if (element.kind === "divider") return html`<hr key=${index} />`;
    return html`<div class=${`iwf-${element.kind}`} key=${index}>${element.items.map(draw)}</div>`;
  };
  return html`<div class="iwf-form">
    <div class="iw-tools"><h3 class="iw-cut">${title}</h3><span class="iw-dim iw-cut iw-grow" title=${description}>${description}</span></div>
    ${problems[""] && html`<${Banner} kind="error" title="Cannot run" text=${problems[""]} role="alert" />`}
    <div class="iws-body">${elements.map(draw)}
      ${more.length > 0 && html`<details><summary>${many(more.length, "other field")}</summary><div class="iwf-column iwf-more">${more.map((name) => field({ kind: "field", name }))}</div></details>`}
    </div>
    <div class="iw-tools iws-end">
      <label class="iwf-option">Runs <input type="number" min="1" max=${model.get("most_runs")} value=${typed.runs} onInput=${(event) => change({ runs: event.target.value === "" ? "" : Number(event.target.value) })} /></label>
      ${hasSeed && html`<label class="iwf-option">Seed <select value=${typed.seed} onChange=${(event) => change({ seed: event.target.value })}><option value="">as it is</option><option value="random">random for each job</option><option value="same">one for all</option></select></label>`}
      <label class="iwf-option">Place <select value=${typed.prepend ? "front" : "end"} onChange=${(event) => change({ prepend: event.target.value === "front" })}><option value="end">end of the queue</option><option value="front">front</option></select></label>
      <span class="iw-dim iw-grow iwf-plan" role="status">${problems.runs ?? plan}</span>
      <${Button} kind="solid" busy=${busy("submit")} disabled=${!jobs} onClick=${submit}>${jobs > 1 ? `Enqueue ${many(jobs, "job")}` : "Enqueue"}<//>
    </div></div>`;
}
export default part(WorkflowForm);
