// A job or a batch as one line.

const SHOWN = [["completed", "completed"], ["failed", "failed"], ["canceled", "canceled"], ["pending", "waiting"]];

function JobLine({ model }) {
  const [name, counts, total, running, error, names, more] = useTraits(model, "name", "counts", "total", "running", "error", "pictures", "more");
  const [run, busy] = useAct();
  const pictures = usePictures(model);
  const done = (counts.completed ?? 0) + (counts.failed ?? 0) + (counts.canceled ?? 0);
  const over = total > 0 && done >= total;
  const share = total ? (done + (running.share ?? 0)) / total : 0;
  const words = SHOWN.filter(([key]) => counts[key]).map(([key, word]) => `${total === 1 ? "" : `${count(counts[key])} `}${word}`).join(" · ");
  return html`<div class="iwl-line">
    <b>${name}</b>${total !== 1 && html`<span class="iw-dim">${count(done)} of ${many(total, "job")}</span>`}
    ${over ? null : html`<span class="iwl-meter"><${Progress} share=${share} label=${`Progress of ${name.toLowerCase()}`} /></span>`}
    <span role="status">${words}</span>
    ${running.id ? html`<span class="iw-dim iw-cut">${[running.message || "running", running.share ? percent(running.share) : ""].filter(Boolean).join(" · ")}</span>` : null}
    ${names.map((one) => html`<${Thumb} key=${one} pictures=${pictures} name=${one} />`)}<span class="iw-dim">${more}</span>
    <span class="iw-grow"></span>
    ${over ? null : html`<${Button} busy=${busy("cancel")} onClick=${() => run("cancel")}>Cancel<//>`}
  </div>
  ${error && html`<div class="iwl-error iw-wrong">${error}</div>`}`;
}
export default part(JobLine);
