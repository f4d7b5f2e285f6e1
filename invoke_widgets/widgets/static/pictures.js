// Pictures that the kernel sends: kept by name, drawn with their values, and in full.

/** Pictures by name, asked for once each and kept while the gallery is shown. */
class Pictures {
  constructor(model, page) {
    this.model = model;
    this.page = page;
    this.known = new Map(); // "thumbnail name" or "picture name" -> url, or null where there is none
    this.asked = new Set();
  }

  url(kind, name) {
    const key = `${kind} ${name}`;
    if (!this.asked.has(key)) {
      this.asked.add(key);
      act(this.model, this.page, kind, { name, page: this.page });
    }
    return this.known.get(key);
  }

  take(message, buffers) {
    this.known.set(`${message.t} ${message.name}`, message.failed ? null : URL.createObjectURL(new Blob([buffers[0]])));
  }

  end() {
    for (const url of this.known.values()) if (url) URL.revokeObjectURL(url);
  }
}

function Values({ values }) {
  return html`<span class="iwg-values">${values.map(([name, value]) => html`<span><span class="iw-dim">${name}</span> ${value}</span>`)}</span>`;
}

function FullView({ cards, open, pictures, onOpen, onClose }) {
  const { root } = useContext(Scope);
  const dialog = useRef(null);
  const { card, index } = open;
  const name = card.names[index];
  const url = pictures.url("picture", name) ?? pictures.url("thumbnail", name);
  const at = cards.findIndex((one) => one.item_id === card.item_id);
  useEffect(() => {
    const it = dialog.current;
    it.showModal();
    return () => it.close();
  }, []);
  const step = (by) => {
    const next = cards[at + by];
    if (next) onOpen(next, next.names.length - 1);
  };
  const key = (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    event.stopPropagation();
    if (by) { event.preventDefault(); step(by); }
  };
  return html`<dialog class="iwg-full" ref=${dialog} aria-label=${`Picture of item ${card.item_id}`} onKeyDown=${key} onClose=${onClose} onClick=${(event) => { if (event.target === dialog.current) dialog.current.close(); }}>
    <div class="iw-tools"><h4 class="iw-cut iw-grow">Item ${card.item_id}</h4>
      <${Button} kind="quiet" class="iw-icon" aria-label="Previous picture" disabled=${at <= 0} onClick=${() => step(-1)}>‹<//>
      <${Button} kind="quiet" class="iw-icon" aria-label="Next picture" disabled=${at >= cards.length - 1} onClick=${() => step(1)}>›<//>
      <${Button} kind="quiet" class="iw-icon" aria-label="Close" autofocus onClick=${() => dialog.current.close()}>✕<//></div>
    <div class="iwg-large">${url ? html`<img src=${url} alt=${name} />` : html`<span class="iw-dim">…</span>`}</div>
    <div class="iw-tools"><${Values} values=${card.values} /><span class="iw-dim iw-grow">${timeOfDay(card.at)} · took ${duration(card.took)}</span>
      ${url && html`<a class="iwg-link" href=${url} download=${name}>Download</a>`}
      <${Copy} text=${name} label="Copy name" />
      ${isInside(root) && html`<${Button} onClick=${() => { dialog.current.close(); askAround(root, "iw-show", { item_id: card.item_id }); }}>Show its row<//>`}</div>
    ${card.names.length > 1 && html`<div class="iwg-strip" role="group" aria-label="Pictures of this job">${card.names.map((one, i) => html`<button type="button" key=${one} class=${i === index ? "iw-on" : ""} aria-pressed=${String(i === index)} aria-label=${`Picture ${i + 1} of ${card.names.length}`} onClick=${() => onOpen(card, i)}>
      ${pictures.url("thumbnail", one) ? html`<img src=${pictures.url("thumbnail", one)} alt="" />` : "…"}</button>`)}</div>`}
  </dialog>`;
}
