// The head: one banner, the server, the counters as tiles that filter, and what runs.

const TILES = [["in_progress", "Running"], ["pending", "Waiting"], ["waiting", "In a call"], ["completed", "Completed"], ["failed", "Failed"], ["canceled", "Canceled"]];

function HeadBanner({ banner }) {
  const { root } = useContext(Scope);
  const [question, ask] = useAsk();
  const [run, busy] = useAct();
  useEffect(() => { ask(0); }, [banner.title, banner.jobs]);
  if (!banner.title || question) return question;
  const jobs = many(banner.jobs ?? 0, "job");
  const unwedge = { text: `Cancel ${jobs}?`, yes: `Cancel ${jobs}`, no: "Keep them", work: () => run("unwedge", { batch_ids: banner.batch_ids }) };
  const actions = {
    try_now: () => html`<${Button} busy=${busy("try_now")} onClick=${() => run("try_now")}>Try now<//>`,
    resume: () => html`<${Button} kind="solid" busy=${busy("pause")} onClick=${() => run("resume")}>Resume<//>`,
    show: () => html`<${Button} onClick=${() => askAround(root, "iw-show", { item_id: banner.item_id })}>Show item<//>`,
    unwedge: () => html`<${Button} kind="solid" danger busy=${busy("unwedge")} onClick=${() => ask(banner.jobs, unwedge)}>${`Cancel its ${banner.batch_ids?.length > 1 ? "batches" : "batch"} (${jobs})`}<//>`,
  };
  const shown = (banner.actions ?? []).filter((name) => name !== "show" || isInside(root));
  return html`<${Banner} kind=${banner.kind} role=${banner.kind === "error" ? "alert" : "status"} title=${banner.title}
    text=${html`${banner.text}${banner.countdown && html` <span aria-live="off">${banner.countdown}</span>`} ${banner.why}`}
    actions=${shown.map((name) => actions[name]())} />`;
}

function Tiles({ counts, filter }) {
  const { root } = useContext(Scope);
  const filters = isInside(root);
  return html`<div class="iw-tiles" role="group" aria-label="Jobs by status">
    ${TILES.filter(([status]) => status !== "waiting" || counts[status]).map(([status, word]) => {
      const n = counts[status];
      const look = `iw-tile iw-tile-${status} ${n ? "" : "iw-zero"} ${filter === status ? "iw-on" : ""}`;
      const content = html`<b>${n === undefined ? "…" : count(n)}</b><span>${word}</span>`;
      return filters
        ? html`<button type="button" key=${status} class=${look} aria-pressed=${filter === status} title=${`Show only these: ${word.toLowerCase()}`}
            onClick=${() => askAround(root, "iw-filter", { status: filter === status ? "" : status })}>${content}</button>`
        : html`<div key=${status} class=${look}>${content}</div>`;
    })}
    ${counts.unread ? html`<span class="iw-tile iw-dim iw-small" role="status">reading ${count(counts.unread)} older …</span>` : null}
  </div>`;
}

/** One session: a picture if there is one, the step, a bar that is indeterminate at 0 %, times, and cancel. */
function Running({ item, low }) {
  const { root } = useContext(Scope);
  const [run, busy] = useAct();
  const now = useClock();
  const drawn = useRef(0);
  useMemo(() => { drawn.current = Date.now(); }, [item.left]);
  const elapsed = item.started ? Math.max(now / 1000 - item.started, 0) : null;
  const left = item.left === null ? null : Math.max(item.left - (now - drawn.current) / 1000, 0);
  const times = [
    item.share ? percent(item.share) : "",
    elapsed === null ? "" : `${clock(elapsed)} elapsed`,
    left === null ? "" : `about ${clock(left)} left`,
    item.device ?? "",
  ].filter(Boolean);
  return html`<div class=${`iw-now ${low}`}>
    ${item.image?.startsWith("data:image/") ? html`<img src=${item.image} alt=${`Preview of item ${item.id}`} />` : html`<span class="iw-noimage" aria-hidden="true"></span>`}
    <div class="iw-grow">
      <div class="iw-cut"><b>${item.message || "Running"}</b> <button type="button" class="iw-link iw-plain" title="Show its row"
        onClick=${() => askAround(root, "iw-show", { item_id: item.id })}>${`item ${item.id}`}</button>
        <span class="iw-dim">${item.values ? ` · ${item.values}` : ""}</span></div>
      <${Progress} share=${item.share} label=${`Progress of item ${item.id}`} />
      <div class="iw-dim iw-cut iw-times">${times.join(" · ")}</div>
    </div>
    ${item.can_cancel && html`<${Button} aria-label=${`Cancel item ${item.id}`} busy=${busy(`cancel ${item.id}`)} onClick=${() => run("cancel", { item_id: item.id })}><span class="iw-word">Cancel</span><span class="iw-short" aria-hidden="true">✕</span><//>`}
  </div>`;
}

function Header({ model }) {
  const [server, counts, running, banner, processor, filter] = useTraits(model, "server", "counts", "running", "banner", "processor", "filter");
  const [run, busy] = useAct();
  const { ended } = useContext(Scope);
  const color = ended ? "off" : server.color;
  const low = (last) => (last && (banner.title || ended) ? "iw-low" : "");
  return html`<div class="iw-top"><${HeadBanner} banner=${banner} /></div>
    <div class="iw-head">
      <span class=${`iw-dot iw-${color}`} aria-hidden="true"></span>
      <h3 class="iw-cut">${server.name}</h3>
      <span class="iw-dim iw-cut">${server.address}</span>
      <span class=${`iw-state iw-cut iw-text-${color}`} title=${server.why}>${ended ? "as it was" : server.state}</span>
      <span class="iw-grow"></span>
      ${processor.known && html`<${Button} busy=${busy("pause")} disabled=${!processor.may} title=${processor.title}
        onClick=${() => run(processor.paused ? "resume" : "pause")}>${processor.paused ? "▶\ufe0e " : "❚❚ "}<span class="iw-word">${processor.paused ? "Resume" : "Pause"}</span><//>`}
    </div>
    <${Tiles} counts=${counts} filter=${filter} />
    ${running.length ? running.map((item, i) => html`<${Running} key=${item.id} item=${item} low=${low(i === running.length - 1)} />`)
      : html`<div class=${`iw-now iw-idle ${low(true)}`}><span class="iw-dim">${counts.idle}</span></div>`}`;
}
export default part(Header);
