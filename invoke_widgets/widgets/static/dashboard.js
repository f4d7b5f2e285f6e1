// The dashboard: the head, tabs with the other parts in them, toasts over the page, and a footer.

const TABS = [["queue", "Queue"], ["errors", "Errors"], ["cancellations", "Cancellations"], ["gallery", "Gallery"], ["submit", "Submit"]];
const SIGNS = { info: "●", warning: "▲", error: "✕" };

/** A message's title with the class of an error in words, as it is shown elsewhere: "Item 7 failed: invalid input". */
const inWords = (title) => title.replace(/: (\w+_\w+)$/, (whole, name) =>
  (name === "execution_failed" ? " while running" : ERROR_CLASS[name] ? `: ${ERROR_CLASS[name][2].toLowerCase()}` : whole));

function Tabs({ tab, badges, onTab }) {
  const bar = useRef(null);
  const key = (event) => {
    const at = TABS.findIndex(([name]) => name === tab);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: TABS.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = (to + TABS.length) % TABS.length;
    onTab(TABS[next][0]);
    bar.current.children[next].focus();
  };
  return html`<div class="iw-tabs" role="tablist" aria-label="Console" ref=${bar} onKeyDown=${key}>
    ${TABS.map(([name, title]) => html`<button type="button" role="tab" key=${name} class=${name === tab ? "iw-on" : ""} aria-selected=${name === tab}
      tabindex=${name === tab ? 0 : -1} onClick=${() => onTab(name)}>${title}${badges[name] ? html` <span class=${`iw-badge ${name === "errors" ? "iw-bad" : ""}`}>${count(badges[name])}</span>` : ""}</button>`)}
  </div>`;
}

function Toast({ toast, onShow }) {
  const [run] = useAct();
  const dismiss = () => run("dismiss", { message_id: toast.id });
  return html`<div class=${`iw-toast iw-${toast.severity}`} role=${toast.severity === "error" ? "alert" : "status"}>
    <b title=${[toast.title, toast.rule].filter(Boolean).join(" · ")}><span aria-hidden="true" class="iw-sign">${SIGNS[toast.severity]}</span> ${inWords(toast.title)}</b>
    <${Button} kind="quiet" class="iw-icon" aria-label=${`Dismiss: ${toast.title}`} onClick=${dismiss}>✕<//>
    ${toast.text && html`<div class="iw-toast-text" tabindex="0">${toast.text}</div>`}
    <div class="iw-dim iw-small">${toast.where} ${toast.item_id !== null && html`<${Button} kind="link" onClick=${() => onShow(toast.item_id)}>Show<//>`}</div>
  </div>`;
}

function Toasts({ model, onShow }) {
  const [toasts] = useTraits(model, "toasts");
  const [run] = useAct();
  const shown = toasts.slice(0, 3);
  return html`<div class="iw-toasts">
    ${shown.map((toast) => html`<${Toast} key=${toast.id} toast=${toast} onShow=${onShow} />`)}
    ${toasts.length > 1 && html`<div class="iw-toast iw-rest"><span role="status">${toasts.length > 3 ? `and ${many(toasts.length - 3, "other message")}` : ""}</span>
      <${Button} onClick=${() => run("dismiss", {})}>Dismiss all<//></div>`}
  </div>`;
}

function Dashboard({ model }) {
  const { root, ended } = useContext(Scope);
  const [parts, tab, badges, alive, kept, away] = useTraits(model, "parts", "tab", "badges", "alive", "kept", "away");
  const [seen, setSeen] = useState({ [tab]: true });
  useEffect(() => { setSeen((before) => ({ ...before, [tab]: true })); }, [tab]);
  const onTab = (name) => put(model, "tab", name);
  const child = (name) => model.widget_manager.get_model(parts[name].slice(MODEL.length));
  const filter = async (filters) => {
    const queue = await child("queue");
    put(queue, "filters", filters);
    onTab("queue");
  };
  const showItem = async (itemId) => {
    onTab("queue");
    const queue = await child("queue");
    queue.trigger("iw-show", itemId); // the table of this page listens to its own model
  };
  useLayoutEffect(() => {
    const asked = new AbortController();
    const on = (name, work) => root.addEventListener(name, (event) => { event.stopPropagation(); work(event.detail); }, { signal: asked.signal });
    on("iw-filter", (filters) => filter(filters.status === "" ? {} : filters));
    on("iw-show", ({ item_id }) => showItem(item_id));
    on("iw-tab", onTab);
    return () => asked.abort();
  }, [parts]);
  const kind = ended ? "no" : alive.kind;
  return html`<${Child} model=${model} reference=${parts.header} />
    <${Tabs} tab=${tab} badges=${badges} onTab=${onTab} />
    ${TABS.map(([name, title]) => html`<div key=${name} role="tabpanel" aria-label=${title} hidden=${name !== tab} class=${away ? "iw-away" : ""}>${seen[name] && html`<${Child} model=${model} reference=${parts[name]} />`}</div>`)}
    <${Toasts} model=${model} onShow=${showItem} />
    <div class="iw-foot"><span class=${`iw-alive iw-alive-${kind}`}><span class=${`iw-dot iw-${{ yes: "ok", no: "bad", maybe: "off" }[kind]}`} aria-hidden="true"></span>${ended ? "The kernel has ended" : alive.sentence}</span>
      <span class=${kept.bad ? "iw-wrong" : ""}>${kept.text}</span><span class="iw-grow"></span><${Said} /></div>`;
}
export default part(Dashboard, { foot: true });
