// The form for a graph, a batch or a workflow.

function Problem({ problem, id }) {
  return problem ? html`<div class="iw-wrong iw-small" role="alert" id=${id}>${problem.message} <span class="iw-dim">${problem.remedy}</span></div>` : null;
}

/** One field to vary: its name, its values, and whether it goes in step with another one. */
function ValuesRow({ row, index, rows, about, problem, list, onChange, onRemove }) {
  const [field, values, group] = row;
  const others = rows.map(([name, , other], i) => [i, name || `row ${i + 1}`, other]).filter(([i]) => i < index);
  const own = 1 + Math.max(0, ...rows.filter((_, i) => i !== index).map(([, , other]) => other));
  const partner = others.find(([, , other]) => other === group);
  return html`<div class="iws-row">
    <label class="iw-field"><span class="iw-name">Field</span><input list=${list} value=${field} placeholder="node.field" aria-invalid=${Boolean(problem)} onInput=${(event) => onChange([event.target.value, values, group])} /></label>
    <label class="iw-field iw-grow"><span class="iw-name">Values${about ? ` · ${about}` : ""}</span><input value=${values} placeholder=${'1, 2, 3 or 1..10 or "oil", "ink"'} aria-invalid=${Boolean(problem)} onInput=${(event) => onChange([field, event.target.value, group])} /></label>
    ${others.length > 0 && html`<label class="iw-field"><span class="iw-name">Combine</span><select value=${partner ? String(partner[2]) : "own"}
      onChange=${(event) => onChange([field, values, event.target.value === "own" ? own : Number(event.target.value)])}>
      <option value="own">with every other value</option>
      ${others.map(([, name, other]) => html`<option value=${String(other)}>in step with ${name}</option>`)}
    </select></label>`}
    <${Button} kind="quiet" class="iw-icon iws-remove" aria-label=${`Remove the values of ${field || "this row"}`} title="Remove" onClick=${onRemove}>✕<//>
    <${Problem} problem=${problem} />
  </div>`;
}

/** The workflows of the server, read when the menu opens. */
function Library({ library }) {
  const [run, busy] = useAct();
  useEffect(() => { run("library"); }, []);
  if (!library.length) return html`<p class="iw-dim">${busy("library") ? "Reading …" : "The server has no workflows."}</p>`;
  return library.map(([id, name]) => html`<button type="button" key=${id} onClick=${() => run("load", { source: id })}>${name}</button>`);
}

function Submitter({ model }) {
  const [problems, plan, sendable, fields, drafts, library, shown, isWorkflow] = useTraits(model, "problems", "plan", "sendable", "fields", "drafts", "library", "shown", "is_workflow");
  const [run, busy] = useAct();
  const form = useTyped(model);
  const [typed, change] = form;
  const file = useRef(null);
  const vary = useRef(null);
  const list = useMemo(() => `iws-${newPage()}`, []);
  const refuse = (why, one) => run("refused", { why, name: one?.name ?? "", size: one?.size ?? 0 });
  const take = async (files) => {
    const [one] = files;
    if (files.length !== 1) { refuse("many"); return; }
    if (one.size > model.get("file_limit")) { refuse("size", one); return; }
    try {
      model.send({ t: "file", name: one.name }, undefined, [await one.arrayBuffer()]);
    } catch {
      refuse("unread", one); // such as a folder
    }
  };
  const [drop, dropping] = useDrop(take);
  const rows = typed.rows;
  const setRow = (index, row) => change({ rows: rows.map((one, i) => (i === index ? row : one)) });
  const group = 1 + Math.max(0, ...rows.map(([, , other]) => other));
  return html`<div class=${dropping ? "iws-form iws-dropping" : "iws-form"} ...${drop}>
    <div class="iw-tools">
      <input type="file" accept=".json,application/json,image/png,image/webp" hidden ref=${file} onChange=${(event) => { if (event.target.files.length) take([...event.target.files]); event.target.value = ""; }} />
      <${Button} title="A graph, a batch or a workflow as JSON, or a picture that carries a workflow; it can also be dropped onto this form" onClick=${() => file.current.click()}>Open file…<//>
      <${Button} title="A graph that adds two numbers" onClick=${() => change({ ...typed, graph: JSON.stringify(JSON.parse(model.get("example")), null, 2), rows: [] })}>Example<//>
      <${Menu} kind="outline" label="Library ▾" name="Workflows of the server"><${Library} library=${library} /><//>
      ${drafts.length > 0 && html`<${Menu} kind="outline" label="Recent ▾" name="Recently enqueued">${drafts.map((label, number) => html`<button type="button" onClick=${() => run("recent", { number })}>${label}</button>`)}<//>`}
      ${shown ? html`<${Button} title="The workflow as JSON" onClick=${() => run("json")}>Edit as JSON<//>` : isWorkflow && html`<${Button} kind="solid" busy=${busy("load")} onClick=${() => run("load")}>Show its form<//>`}
      <${Problem} problem=${problems.file} />
    </div>
    ${shown ? html`<${Child} model=${model} reference=${shown} />` : html`<div class="iws-body">
      <label class="iw-field"><span class="iw-name">Graph</span><textarea rows="9" spellcheck="false" value=${typed.graph} placeholder=${model.get("example")} aria-invalid=${Boolean(problems.graph)} onInput=${(event) => change({ graph: event.target.value })}></textarea></label>
      ${problems.ignored && html`<div class="iw-dim iw-small" role="status">${problems.ignored.message}</div>`}
      <${Problem} problem=${problems.graph} />
      ${rows.map((row, index) => html`<${ValuesRow} key=${index} row=${row} index=${index} rows=${rows} about=${fields.find(([name]) => name === row[0])?.[1]} list=${list} problem=${problems[`row ${index}`]}
        onChange=${(next) => setRow(index, next)} onRemove=${() => { change({ rows: rows.filter((_, i) => i !== index) }); vary.current.firstElementChild.focus(); }} />`)}
      <datalist id=${list}>${fields.map(([name, about]) => html`<option value=${name}>${about}</option>`)}</datalist>
      <div ref=${vary}><${Button} repeats title="Give a field several values: one job for each" onClick=${() => change({ rows: [...rows, ["", "", group]] })}>Vary a field<//> <${Problem} problem=${problems.data} /></div>
      <${Problem} problem=${problems.runs} /><${Problem} problem=${problems.destination} />
    </div>
    <${SubmitBar} model=${model} form=${form} problems=${problems} plan=${plan} disabled=${!sendable}>
      <label class="iw-option">Destination <input value=${typed.destination} placeholder="none" aria-invalid=${Boolean(problems.destination)} onInput=${(event) => change({ destination: event.target.value })} /></label>
    <//>`}
  </div>`;
}
export default part(Submitter);
