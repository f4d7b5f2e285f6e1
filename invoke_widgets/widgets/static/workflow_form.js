// A workflow's own form. What is typed goes to the kernel as it is typed; the click brings all of it again.

const LINES = new Set(["text", "list"]);
const CHOICES = new Set(["choice", "model", "board"]);
const asLines = (value) => (Array.isArray(value) ? value.join("\n") : String(value ?? ""));

const pictureName = (value) => String(value?.image_name ?? value ?? "");
const SEED_MAX = 2 ** 32 - 1;
const BYTES_AT_ONCE = 2_000_000; // a Jupyter server closes a connection that carries more than 10 MiB at once

/** The server's newest pictures, or those of a board, to choose from; the arrow keys lead from one to the next. */
function Shelf({ model, name, pictures, chosen, onChoose }) {
  const { page, root } = useContext(Scope);
  const [run] = useAct();
  const [shelf, setShelf] = useState({ names: null, boards: [] });
  const [board, setBoard] = useState("");
  const list = useRef(null);
  useMessages(model, (message) => { if (message.t === "shelf" && message.board === board) setShelf(message); });
  useEffect(() => { run("shelf", { board, page }); }, [board]);
  const key = (event) => {
    const all = [...list.current.children];
    const next = nextOf(event, all, all.indexOf(root.getRootNode().activeElement));
    if (next) { event.preventDefault(); next.focus(); }
  };
  return html`<div class="iwf-shelf">
    <label class="iwf-option">Board <select value=${board} onChange=${(event) => { setShelf({ ...shelf, names: null }); setBoard(event.target.value); }}>
      <option value="">all pictures</option><option value="none">on no board</option>${shelf.boards.map(([id, title]) => html`<option key=${id} value=${id}>${title}</option>`)}</select></label>
    ${shelf.names?.length > 0 ? html`<div class="iwf-pictures" role="group" aria-label=${`Pictures for ${name}`} ref=${list} onKeyDown=${key}>${shelf.names.map((one, i) => html`<button type="button" key=${one} tabindex=${(chosen.some((it) => shelf.names.includes(it)) ? chosen.includes(one) : i === 0) ? 0 : -1} aria-pressed=${String(chosen.includes(one))} title=${one} onClick=${() => onChoose(one)}><${Thumb} pictures=${pictures} name=${one} alt=${`Picture ${i + 1}: ${one}`} /></button>`)}</div>`
      : html`<p class="iw-dim" role="status">${shelf.names ? "No pictures here." : "Reading …"}</p>`}</div>`;
}

/** An image field: a name, files that are chosen or dropped, or pictures of the server. Several make a sweep. */
function ImageInput({ model, name, value, several, pictures, common, onChange, onFile }) {
  const [open, setOpen] = useState(false);
  const [over, setOver] = useState(false);
  const file = useRef(null);
  const urls = useRef(new Map()); // of files, by name
  useEffect(() => () => { for (const url of urls.current.values()) URL.revokeObjectURL(url); }, []);
  const values = [value].flat().filter((one) => pictureName(one));
  const names = values.map(pictureName);
  const set = (all) => onChange(several ? all : all[all.length - 1] ?? "");
  const take = async (files) => {
    const found = [...files].filter((one) => one.type.startsWith("image/"));
    for (const one of found) {
      urls.current.set(one.name, URL.createObjectURL(one));
      await onFile(one);
    }
    if (found.length) set([...(several ? values : []), ...found.map((one) => one.name)]);
  };
  const choose = (one) => {
    if (several && names.includes(one)) set(values.filter((it) => pictureName(it) !== one));
    else set([...(several ? values : []), { image_name: one }]);
    if (!several) setOpen(false);
  };
  return html`<div class=${`iwf-image ${over ? "iwf-over" : ""}`} onDragOver=${(event) => { event.preventDefault(); setOver(true); }} onDragLeave=${() => setOver(false)} onDrop=${(event) => { event.preventDefault(); event.stopPropagation(); setOver(false); take(event.dataTransfer.files); }}>
    <input type="file" accept="image/*" multiple=${several} hidden ref=${file} onChange=${(event) => { take(event.target.files); event.target.value = ""; }} />
    ${names.length > 0 && html`<div class="iwf-chosen">${values.map((one) => { const it = pictureName(one); return urls.current.has(it) ? html`<img key=${it} src=${urls.current.get(it)} alt=${it} />` : html`<${Thumb} key=${it} pictures=${pictures} name=${it} alt=${it} />`; })}</div>`}
    <div class="iwf-pick">${several ? html`<span class="iw-dim iw-grow" id=${common.id} role="status">${names.length ? many(names.length, "picture") : "Choose or drop pictures."}</span>`
      : html`<input ...${common} value=${pictureName(value)} placeholder="drop a picture, or choose one" onInput=${(event) => onChange(event.target.value)} />`}
      <${Button} onClick=${() => file.current.click()} aria-label=${`File for ${name}`}>File…<//>
      <${Button} aria-expanded=${String(open)} aria-label=${`Pictures of the server for ${name}`} onClick=${() => setOpen(!open)}>Gallery ${open ? "▴" : "▾"}<//></div>
    ${open && html`<${Shelf} model=${model} name=${name} pictures=${pictures} chosen=${names} onChoose=${choose} />`}</div>`;
}

/** The settings of a generator of values. */
function GeneratorInput({ name, value, common, onChange }) {
  const label = (key) => key[0].toUpperCase() + key.slice(1).replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).replaceAll("_", " ");
  return html`<div class="iwf-settings" role="group" aria-label=${name}>${Object.entries(value).map(([key, text], i) => {
    const given = { ...(i ? {} : common), value: text, onInput: (event) => onChange({ ...value, [key]: event.target.value }) };
    return html`<label key=${key}><span class="iw-dim">${label(key)}</span>${key === "input" ? html`<textarea rows="3" ...${given}></textarea>` : html`<input ...${given} />`}</label>`;
  })}</div>`;
}

/** One field: its label, its control, and a button that gives it several values. */
function Field({ model, element, control, value, given, problem, pictures, onChange, onFile, id }) {
  const { name } = element;
  const [several, setSeveral] = useState(Array.isArray(given) && control.kind !== "list");
  const change = (next) => onChange(name, next);
  const isNumber = control.kind === "integer" || control.kind === "number";
  const bad = problem ? "true" : null;
  const hint = [control.description, control.minimum !== undefined || control.maximum !== undefined ? `${control.minimum ?? "…"} to ${control.maximum ?? "…"}` : "", isNumber ? "several as 1, 2, 3 or 1..10" : "", control.fed_by ? `now from ${control.fed_by}` : ""].filter(Boolean).join(" · ");
  const common = { id, "aria-invalid": bad, title: hint || null };
  const options = element.options?.length ? element.options : (control.choices ?? []).map((one) => [one, one]);
  let input;
  const isGenerator = control.kind === "generator";
  if (several && (control.kind === "text" || control.kind === "color" || isGenerator)) {
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
    input = html`<${ImageInput} model=${model} name=${name} value=${value} several=${several} pictures=${pictures} common=${common} onChange=${change} onFile=${(one) => onFile(name, one)} />`;
  } else if (isGenerator) {
    input = html`<${GeneratorInput} name=${name} value=${value} common=${common} onChange=${change} />`;
  } else if (LINES.has(control.kind)) {
    const tall = control.kind === "list" || element.component === "textarea" || String(value).length > 60;
    input = tall ? html`<textarea rows=${control.kind === "list" ? 4 : 3} ...${common} value=${asLines(value)} onInput=${(event) => change(event.target.value)}></textarea>`
      : html`<input ...${common} value=${value} onInput=${(event) => change(event.target.value)} />`;
  } else if (isNumber) {
    const slides = element.component?.includes("slider") && control.minimum !== undefined && control.maximum !== undefined;
    input = html`<div class="iwf-number">${slides && html`<input type="range" aria-label=${`${name}, slider`} min=${control.minimum} max=${control.maximum} step=${control.step ?? "any"} value=${Number(value) || control.minimum} onInput=${(event) => change(event.target.value)} />`}
      <input inputmode="decimal" ...${common} value=${value} onInput=${(event) => change(event.target.value)} />
      ${control.seed && html`<${Button} class="iw-icon" aria-label=${`Another ${name}`} title="Another random number" onClick=${() => change(String(Math.floor(Math.random() * ((control.maximum ?? SEED_MAX) + 1))))}>⚄<//>`}</div>`;
  } else {
    input = html`<textarea rows="2" class="iw-mono" ...${common} value=${typeof value === "string" ? value : JSON.stringify(value)} onInput=${(event) => change(event.target.value)}></textarea>`;
  }
  const counted = Array.isArray(given) && control.kind !== "list" ? given.length : isNumber && typeof given === "string" ? sweepOf(given) : 0;
  const canVary = control.kind === "text" || control.kind === "color" || control.kind === "switch" || control.kind === "image" || isGenerator || CHOICES.has(control.kind);
  const vary = () => {
    setSeveral(!several);
    if (isGenerator) change(several ? control.value : []);
    else change(several ? (Array.isArray(value) ? value[0] ?? control.value : value) : control.kind === "switch" ? [true, false] : [value].flat());
  };
  return html`<div class="iw-field iwf-field"><span class="iwf-label"><label class="iw-name" for=${id}>${name}${control.required ? html`<span class="iw-wrong" title="required"> *</span>` : ""}</label>
      ${counted > 1 && html`<span class="iw-label iw-run">sweep of ${count(counted)}</span>`}
      ${canVary && html`<${Button} kind="link" class="iw-small" aria-pressed=${String(several)} aria-label=${`${isGenerator ? (several ? "Settings of" : "Values of") : several ? "One value for" : "Vary"} ${name}`} onClick=${vary}>${isGenerator ? (several ? "settings" : "values") : several ? "one value" : "vary"}<//>`}</span>
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
  const pictures = usePictures(model);
  const sendFile = async (field, file) => {
    const content = await file.arrayBuffer();
    for (let at = 0; at < Math.max(content.byteLength, 1); at += BYTES_AT_ONCE) {
      const last = at + BYTES_AT_ONCE >= content.byteLength;
      model.send({ t: "file", field, name: file.name, at, last }, undefined, [content.slice(at, at + BYTES_AT_ONCE)]);
    }
  };
  const submit = () => run("submit", { form: sendNow() });
  const field = (element) => {
    const control = controls[element.name];
    const given = typed.values[element.name];
    return html`<${Field} key=${element.name} model=${model} pictures=${pictures} id=${`${prefix}-${Object.keys(controls).indexOf(element.name)}`} element=${element} control=${control} given=${given} value=${given ?? control.value} problem=${problems[element.name] ?? control.problem} onChange=${setValue} onFile=${sendFile} />`;
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
