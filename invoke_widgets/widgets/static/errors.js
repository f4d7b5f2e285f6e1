// The errors as a table of groups, on the same table as the queue.

const SINCE = [["", "All"], ["600", "Last 10 minutes"], ["3600", "Last hour"], ["86400", "Last day"]];

function trend(row) {
  const most = Math.max(...row.trend, 1);
  return html`<span class="iwe-trend" role="img" aria-label=${`Errors over time: ${row.trend.join(", ")}`}>
    ${row.trend.map((n) => html`<i style=${`height: ${n && Math.max(2, Math.round((n / most) * 16))}px`}></i>`)}</span>`;
}

/** `acts` has show(rows), retry(rows), cancel(rows), read(row), and `shows`: whether there is a queue to show rows in. */
const errorKind = (details, acts) => ({
  label: "Errors",
  columns: {
    count: { title: "Jobs", width: "74px", down: true, cell: (row) => count(row.count) },
    class: { title: "Class", width: "186px", cell: (row) => html`<${Pill} look=${errorLook(row.class)} />`, hint: (row) => row.class },
    message: { title: "Message", width: "minmax(160px, 1fr)", cell: (row) => row.message, hint: (row) => row.message },
    node: { title: "Node", width: "130px", cell: (row) => row.node, hint: (row) => row.node },
    trend: { title: "Trend", width: "104px", down: true, cell: trend },
    last: { title: "Last", width: "84px", down: true, cell: (row) => timeOfDay(row.last), hint: (row) => `first ${exact(row.first)}` },
  },
  last: "150px",
  cards: ["count", "class", "message"],
  drops: ["trend", "node", "last"],
  name: (row) => `error: ${row.message}`,
  compare(sort) {
    const name = sort.replace("-", "").replace("trend", "last");
    return ordering(sort, (row) => row[name], (a, b) => b.last - a.last);
  },
  passes: (filters) => passing(filters, (row) => `${row.message}\n${row.node}\n${row.class}`, {
    since: (seconds) => (row) => row.last >= Date.now() / 1000 - Number(seconds),
  }),
  action(row, cards) {
    if (row.helps && row.retry.length) return rowButton("retry", `Retry ${count(row.retry.length)}`, `Retry ${many(row.retry.length, "job")}`);
    return row.items.length && acts.shows ? rowButton("show", cards ? "Show" : "Show in queue", "Show in queue") : null;
  },
  press: (button, row) => acts[button.dataset.act]([row]),
  remove: (rows) => acts.cancel(rows),
  detail: (row) => html`<${ErrorDetail} row=${row} known=${details[row.id]} acts=${acts} />`,
  opened: (row, by) => { if (by > 0) acts.read(row); },
});

/** What can be done about groups; `long`: as whole sentences. */
function GroupActs({ rows, acts, long }) {
  const [items, retry, rest] = [acts.items(rows), acts.retries(rows), acts.rest(rows)];
  const helps = rows.some((row) => row.helps);
  const retried = rows.reduce((sum, row) => sum + row.retried, 0);
  const jobs = (n) => (long ? many(n, "job") : count(n));
  return html`
    ${acts.shows && items.length > 0 && html`<${Button} kind=${helps || !long ? "outline" : "solid"} onClick=${() => acts.show(rows)}>${long ? `Show ${items.length === 1 ? "this" : `these ${count(items.length)}`} in the queue` : html`Show<span class="iwe-where"> in queue</span>`}<//>`}
    ${retry.length > 0 && html`<${Button} kind=${!long ? "outline" : helps ? "solid" : "quiet"} onClick=${() => acts.retry(rows)}>${`Retry ${jobs(retry.length)}${long && retried ? ` (${count(retried)} already retried)` : ""}`}<//>`}
    ${rest > 0 && html`<${Button} danger busy=${acts.busy("cancel_rest")} title="What has not finished of the batches in which this happened" onClick=${() => acts.cancel(rows)}>Cancel <span class=${long ? "" : "iwe-where"}>the </span>rest (${jobs(rest)})<//>`}`;
}

function ErrorDetail({ row, known, acts }) {
  if (!known) return html`<p class="iw-dim">Reading the error …</p>`;
  return html`<p class="iwt-message"><b>${known.message}</b></p>
    ${known.suggestion && html`<p>${known.suggestion} <span class="iw-dim">${row.helps ? "A retry may help." : "Retrying will fail the same way: change the values first."}</span></p>`}
    <div class="iwe-acts"><${GroupActs} rows=${[row]} acts=${acts} long />${known.traceback && html`<${Copy} text=${known.traceback} label="Copy the traceback" />`}</div>
    <dl>${known.facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>
    ${known.traceback && html`<${Folded} title="Traceback" text=${known.traceback} />`}`;
}

function Errors({ model }) {
  const { page, root } = useContext(Scope);
  const [groups, rest, total] = useTraits(model, "groups", "rest", "total");
  const { filters, search, chip } = useFilters(model);
  const [run, busy] = useAct();
  const [question, ask] = useAsk();
  const [details, setDetails] = useState({});
  const all = (rows, name) => [...new Set(rows.flatMap((row) => row[name]))];
  const restOf = (rows) => all(rows, "batches").reduce((sum, batch) => sum + (rest[batch] ?? 0), 0);
  const acts = {
    get shows() { return isInside(root); }, // it is attached after it was drawn
    busy,
    rest: restOf,
    items: (rows) => all(rows, "items"),
    retries: (rows) => all(rows, "retry"),
    read: (row) => run("detail", { id: row.id, page }),
    show: (rows) => askAround(root, "iw-filter", { items: all(rows, "items").join(",") }),
    retry(rows) {
      const item_ids = all(rows, "retry");
      const jobs = many(item_ids.length, "job");
      ask(item_ids.length, { text: `Retry ${jobs}?`, yes: `Retry ${jobs}`, danger: false, work: () => run("retry", { item_ids }) });
    },
    cancel(rows) {
      const batch_ids = all(rows, "batches").filter((batch) => rest[batch]);
      const jobs = many(restOf(rows), "job");
      if (batch_ids.length) ask(restOf(rows), {
        text: `Cancel ${jobs} of the ${batch_ids.length === 1 ? "batch" : many(batch_ids.length, "batch")} in which this happened?`,
        yes: `Cancel ${jobs}`, no: "Keep them", work: () => run("cancel_rest", { batch_ids }),
      });
    },
  };
  const [table, element] = useTraitTable(model, errorKind(details, acts), groups, (it) => {
    if (it.open && !it.open.gone && it.open.count !== it._drawnCount) { it._drawnCount = it.open.count; acts.read(it.open); }
  });
  useMessages(model, ({ t, id, detail }) => { if (t === "detail") setDetails((before) => ({ ...before, [id]: detail })); });
  const chosen = table?.chosen(() => true) ?? [];
  const classes = [["", "All"], ...[...new Set(groups.map((row) => row.class))].sort().map((name) => [name, errorLook(name)[2]])];
  const code = `console.errors.frame()${filters.class ? `.query("error_type == '${filters.class}'")` : ""}`;
  const clear = { text: `Clear ${many(total, "error")} from this log? The queue stays as it is.`, yes: `Clear ${many(total, "error")}`, work: () => run("clear", { total }) };
  return html`
    ${question ?? html`<div class=${`iw-tools iwq-tools ${chosen.length ? "iwq-choosing" : ""}`}>
        ${search("Search errors")} ${chip("Class", "class", classes)} ${chip("Time", "since", SINCE)}
        <span class="iw-grow"></span>
        ${chosen.length ? html`<span class="iw-dim iwe-where" role="status">${count(chosen.length)} selected</span><${GroupActs} rows=${chosen} acts=${acts} />`
          : html`<span class="iw-dim" role="status">${total ? html`${many(total, "error")}<span class="iwe-where"> in ${many(groups.length, "group")}</span>` : ""}</span>`}
        <${Menu} label="⋯" name="More actions" right>
          <${Button} kind="quiet" onClick=${() => copyText(code)}>Copy filter as code<//>
          <${Button} kind="quiet" danger disabled=${!total} onClick=${() => ask(Infinity, clear)}>Clear this log …<//><//>
      </div>`}
    <${TableBox} model=${model} table=${table} thing="error" total=${groups.length} none=${html`<${Empty} text="Nothing has failed." />`}>${element}<//>`;
}
export default part(Errors);
