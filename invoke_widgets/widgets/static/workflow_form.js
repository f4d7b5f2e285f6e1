// A workflow's own form.

const asLines = (value) => (Array.isArray(value) ? value.join("\n") : String(value ?? ""));

const pictureName = (value) => String(value?.image_name ?? value ?? "");
const SEED_MAX = 2 ** 32 - 1;
const BYTES_AT_ONCE = 2_000_000; // a Jupyter server closes a connection that carries more than 10 MiB at once

/** The server's newest pictures, or those of a board, to choose from; the arrow keys lead from one to the next. */
function Shelf({ model, name, pictures, chosen, onChoose }) {
  const { page } = useContext(Scope);
  const [run] = useAct();
  const [shelf, setShelf] = useState({ names: null, boards: [] });
  const [board, setBoard] = useState("");
  const list = useRef(null);
  useMessages(model, (message) => { if (message.t === "shelf" && message.board === board) setShelf(message); });
  useEffect(() => { run("shelf", { board, page }); }, [board]);
  const key = (event) => {
    const next = nextOf(event, [...list.current.children]);
    if (next) { event.preventDefault(); next.focus(); }
  };
  return html`<div class="iwf-shelf">
    <label class="iw-option">Board <select value=${board} onChange=${(event) => { setShelf({ ...shelf, names: null }); setBoard(event.target.value); }}>
      <option value="">all pictures</option><option value="none">on no board</option>${shelf.boards.map(([id, title]) => html`<option key=${id} value=${id}>${title}</option>`)}</select></label>
    ${shelf.names?.length > 0 ? html`<div class="iwf-pictures" role="group" aria-label=${`Pictures for ${name}`} ref=${list} onKeyDown=${key}>${shelf.names.map((one, i) => html`<button type="button" key=${one} tabindex=${(chosen.some((it) => shelf.names.includes(it)) ? chosen.includes(one) : i === 0) ? 0 : -1} aria-pressed=${chosen.includes(one)} title=${one} onClick=${() => onChoose(one)}><${Thumb} pictures=${pictures} name=${one} alt=${`Picture ${i + 1}: ${one}`} /></button>`)}</div>`
      : html`<p class="iw-dim" role="status">${shelf.names ? "No pictures here." : "Reading …"}</p>`}</div>`;
}

/** An image field: a name, files that are chosen or dropped, or pictures of the server. Several make a sweep. */
function ImageInput({ model, element: { name }, value, several, pictures, common, change, onFile }) {
  const [open, setOpen] = useState(false);
  const file = useRef(null);
  const urls = useRef(new Map()); // of files, by name
  useEffect(() => () => { for (const url of urls.current.values()) URL.revokeObjectURL(url); }, []);
  const values = [value].flat().filter((one) => pictureName(one));
  const names = values.map(pictureName);
  const set = (all) => change(several ? all : all.at(-1) ?? "");
  const take = async (files) => {
    const found = [...files].filter((one) => one.type.startsWith("image/"));
    for (const one of found) {
      urls.current.set(one.name, URL.createObjectURL(one));
      await onFile(name, one);
    }
    if (found.length) set([...(several ? values : []), ...found.map((one) => one.name)]);
  };
  const [drop, over] = useDrop(take);
  const choose = (one) => {
    if (several && names.includes(one)) set(values.filter((it) => pictureName(it) !== one));
    else set([...(several ? values : []), { image_name: one }]);
    if (!several) setOpen(false);
  };
  return html`<div class=${over ? "iwf-image iwf-over" : "iwf-image"} ...${drop}>
    <input type="file" accept="image/*" multiple=${several} hidden ref=${file} onChange=${(event) => { take(event.target.files); event.target.value = ""; }} />
    ${names.length > 0 && html`<div class="iwf-chosen">${values.map((one) => { const it = pictureName(one); return urls.current.has(it) ? html`<img key=${it} src=${urls.current.get(it)} alt=${it} />` : html`<${Thumb} key=${it} pictures=${pictures} name=${it} alt=${it} />`; })}</div>`}
    <div class="iwf-pick">${several ? html`<span class="iw-dim iw-grow" id=${common.id} role="status">${names.length ? many(names.length, "picture") : "Choose or drop pictures."}</span>`
      : html`<input ...${common} value=${pictureName(value)} placeholder="drop a picture, or choose one" onInput=${(event) => change(event.target.value)} />`}
      <${Button} onClick=${() => file.current.click()} aria-label=${`File for ${name}`}>File…<//>
      <${Button} aria-expanded=${open} aria-label=${`Pictures of the server for ${name}`} onClick=${() => setOpen(!open)}>Gallery ${open ? "▴" : "▾"}<//></div>
    ${open && html`<${Shelf} model=${model} name=${name} pictures=${pictures} chosen=${names} onChoose=${choose} />`}</div>`;
}

/** The settings of a generator of values. */
function GeneratorInput({ element, value, common, change }) {
  const label = (key) => key[0].toUpperCase() + key.slice(1).replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).replaceAll("_", " ");
  return html`<div class="iwf-settings" role="group" aria-label=${element.name}>${Object.entries(value).map(([key, text], i) => {
    const given = { ...(i ? {} : common), value: text, onInput: (event) => change({ ...value, [key]: event.target.value }) };
    return html`<label key=${key}><span class="iw-dim">${label(key)}</span>${key === "input" ? html`<textarea rows="3" ...${given}></textarea>` : html`<input ...${given} />`}</label>`;
  })}</div>`;
}

const Line = ({ common, more, value, change }) => html`<input ...${common} ...${more} value=${value} onInput=${(event) => change(event.target.value)} />`;

const Area = ({ common, more, value, change }) => html`<textarea rows="4" ...${common} ...${more} value=${value} onInput=${(event) => change(event.target.value)}></textarea>`;

function Select({ common, value, change, options }) {
  return html`<select ...${common} value=${value} onChange=${(event) => change(event.target.value)}>
    ${options.some(([key]) => key === value) ? "" : html`<option value=${value}>${value || "choose …"}</option>`}
    ${options.map(([key, text]) => html`<option key=${key} value=${key}>${text}</option>`)}</select>`;
}

function NumberInput({ element, control, common, value, change }) {
  const { minimum, maximum, step = "any" } = control;
  const slides = element.component?.includes("slider") && minimum !== undefined && maximum !== undefined;
  const another = () => change(String(Math.floor(Math.random() * ((maximum ?? SEED_MAX) + 1))));
  return html`<div class="iwf-number">${slides && html`<input type="range" aria-label=${`${element.name}, slider`} min=${minimum} max=${maximum} step=${step} value=${Number(value) || minimum} onInput=${(event) => change(event.target.value)} />`}
    <${Line} more=${{ inputmode: "decimal" }} common=${common} value=${value} change=${change} />
    ${control.seed && html`<${Button} class="iw-icon" repeats aria-label=${`Another ${element.name}`} title="Another random number" onClick=${another}>⚄<//>`}</div>`;
}

/** By the kind of a field, what sets its value; each gets all about the field. */
const INPUTS = {
  text: (field) => (field.element.component === "textarea" || String(field.control.value).length > 60 ? html`<${Area} ...${field} more=${{ rows: 3 }} />` : html`<${Line} ...${field} />`),
  list: (field) => html`<${Area} ...${field} value=${asLines(field.value)} />`,
  switch: ({ common, value, change }) => html`<input type="checkbox" ...${common} checked=${value === true} onChange=${(event) => change(event.target.checked)} />`,
  color: (field) => html`<${Line} ...${field} more=${{ type: "color" }} value=${String(field.value || "#000000").slice(0, 7)} />`,
  image: ImageInput,
  generator: GeneratorInput,
  integer: NumberInput,
  number: NumberInput,
  other: (field) => html`<${Area} ...${field} more=${{ rows: 2, class: "iw-mono" }} value=${typeof field.value === "string" ? field.value : JSON.stringify(field.value)} />`,
};

function AreaOfValues({ common, value, change }) {
  return html`<${Area} common=${common} more=${{ placeholder: "one value per line" }} value=${asLines(value)} change=${(text) => change(text.split("\n"))} />`;
}

function Checks({ element, value, change, options }) {
  const chosen = [value].flat();
  const check = (key, on) => change(options.map(([one]) => one).filter((one) => (one === key ? on : chosen.includes(one))));
  return html`<div class="iwf-checks" role="group" aria-label=${element.name}>${options.map(([key, text]) => html`<label><input type="checkbox" checked=${chosen.includes(key)} onChange=${(event) => check(key, event.target.checked)} />${text}</label>`)}</div>`;
}

/** The same for several values, one job for each; numbers are written side by side. */
const SEVERAL = { text: AreaOfValues, color: AreaOfValues, generator: AreaOfValues, choice: Checks, model: Checks, board: Checks, switch: Checks, image: ImageInput };

/** One field: its label, what sets its value, and a button that gives it several values. `given` is what was typed. */
function Field({ element, control, given, problem, counted, id, onChange, ...rest }) {
  const { name } = element;
  const { kind, minimum, maximum } = control;
  const several = Array.isArray(given) && kind !== "list";
  const value = given ?? control.value;
  const change = (next) => onChange(name, next);
  const isNumber = kind === "integer" || kind === "number";
  const hint = [control.description, minimum !== undefined || maximum !== undefined ? `${minimum ?? "…"} to ${maximum ?? "…"}` : "", isNumber ? "several as 1, 2, 3 or 1..10" : "", control.fed_by ? `now from ${control.fed_by}` : ""].filter(Boolean).join(" · ");
  const common = { id, "aria-invalid": problem ? "true" : null, title: hint || null };
  const options = kind === "switch" ? [[true, "on"], [false, "off"]] : element.options?.length ? element.options : (control.choices ?? []).map((one) => [one, one]);
  const Input = (several && SEVERAL[kind]) || (options.length && kind !== "switch" ? Select : INPUTS[kind] ?? Select);
  const [one, more, to] = kind === "generator" ? ["settings", "values", `${several ? "Settings" : "Values"} of`] : ["one value", "vary", several ? "One value for" : "Vary"];
  const vary = () => {
    if (kind === "generator") change(several ? control.value : []);
    else if (several) change(value[0] ?? control.value);
    else change(kind === "switch" ? [true, false] : [value].flat());
  };
  return html`<div class="iw-field iwf-field"><span class="iwf-label"><label class="iw-name" for=${id}>${name}${control.required ? html`<span class="iw-wrong" title="required"> *</span>` : ""}</label>
      ${counted > 1 && html`<span class="iw-label iw-run">sweep of ${count(counted)}</span>`}
      ${SEVERAL[kind] && html`<${Button} kind="link" class="iw-small" aria-pressed=${several} aria-label=${`${to} ${name}`} onClick=${vary}>${several ? one : more}<//>`}</span>
    <${Input} ...${rest} element=${element} control=${control} common=${common} value=${value} options=${options} several=${several} change=${change} />
    ${problem && html`<div class="iw-wrong iw-small" role="alert">${problem}</div>`}</div>`;
}

function WorkflowForm({ model }) {
  const [title, description, elements, more, controls, problems, plan, jobs, counts, hasSeed] = useTraits(model, "title", "description", "elements", "more", "controls", "problems", "plan", "jobs", "counts", "has_seed");
  const form = useTyped(model);
  const [typed, change] = form;
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
  const field = (element) => {
    const { name } = element;
    return html`<${Field} key=${name} model=${model} pictures=${pictures} id=${`${prefix}-${Object.keys(controls).indexOf(name)}`} element=${element} control=${controls[name]} given=${typed.values[name]}
      counted=${counts[name]} problem=${problems[name] ?? controls[name].problem} onChange=${setValue} onFile=${sendFile} />`;
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
    <${SubmitBar} model=${model} form=${form} problems=${problems} plan=${problems.runs ?? plan} disabled=${!jobs} label=${jobs > 1 ? `Enqueue ${many(jobs, "job")}` : "Enqueue"}>
      ${hasSeed && html`<label class="iw-option">Seed <select value=${typed.seed} onChange=${(event) => change({ seed: event.target.value })}><option value="">as it is</option><option value="random">random for each job</option><option value="same">one for all</option></select></label>`}
    <//></div>`;
}
export default part(WorkflowForm);
