// One frame whole, with everything that is known of it.
function Toggles({ state, set, number }) {
  const flip = k => set({ shown: state.shown.map((on, n) => (n === k ? !on : on)), overlay: "masks" });
  return html`<div class="toggles" role="group" aria-label="masks">
    ${classes.map(({ name, colour }, k) => html`<button type="button" class="toggle" data-mask=${name} aria-pressed=${state.shown[k] && state.overlay === "masks"}
      title=${k < 9 ? `key ${k + 1}` : ""} onClick=${() => flip(k)}><i style=${{ background: colour }}></i>${name}</button>`)}
  </div>`;
}

function OverlayChoice({ state, set }) {
  const choices = [["masks", "Masks"], ...(judges.length ? [["outcome", "Outcome"]] : []), ["none", "Bare"]];
  return html`<div class="segments" role="group" aria-label="what lies over the pictures">
    ${choices.map(([value, title]) => html`<button type="button" data-overlay=${value} aria-pressed=${state.overlay === value} onClick=${() => set({ overlay: value })}>${title}</button>`)}
  </div>`;
}

const Keys = () => html`<span class="keys"><i class="hit"></i>hit <i class="miss"></i>missed <i class="alarm"></i>false alarm</span>`;

function Detail({ state, set, position, order, open }) {
  const dialog = useRef(null), canvas = useRef(null), [detail, setDetail] = useState(null), [large, setLarge] = useState(false);
  const judge = judges[state.judge], threshold = state.thresholds[state.judge], [height, width] = data.sizes[position];
  useEffect(() => { if (!dialog.current.open) dialog.current.showModal(); }, []);
  useEffect(() => {
    let wanted = true;
    setDetail(null);
    detailOf(position).then(found => wanted && setDetail(found), error => wanted && setDetail({ error }));
    return () => { wanted = false; };
  }, [position]);
  const bits = useMemo(() => (detail?.runs ? frameBits(position, detail) : null), [detail]);
  useLayoutEffect(() => {
    let wanted = true;
    if (!bits || bits.length !== height * width || !canvas.current) return;
    if (state.overlay === "masks") paintMasks(canvas.current, bits, height, width, state.shown);
    else if (state.overlay === "outcome" && judge) levelsOf(judge, position, height, width).then(levels => {
      if (wanted && canvas.current) paintOutcome(canvas.current, bits, levels, levelAt(judge, position, threshold), height, width);
    }, () => {});
    else blank(canvas.current);
    return () => { wanted = false; };
  }, [bits, state.overlay, state.shown, state.judge, threshold, position]);
  const place = order.indexOf(position), step = by => { const to = order[place + by]; if (to !== undefined) open(to); };
  const press = event => {
    if (event.target.closest("input, select, textarea")) return;
    if (event.key === "ArrowRight") step(1);
    else if (event.key === "ArrowLeft") step(-1);
    else return;
    event.preventDefault();
  };
  const from = firstThing[position], to = firstThing[position + 1];
  const drawn = Object.entries(detail?.parameters ?? {});
  return html`<dialog ref=${dialog} class="detail" aria-label=${describe(state, position)} onClose=${() => open(null)} onKeyDown=${press}
      onClick=${event => event.target === dialog.current && dialog.current.close()}>
    <div class="sheet">
    <div class="bar"><h2>Frame ${data.indices[position]}</h2><span class="soft">${width} × ${height} pixels${place >= 0 ? ` · ${grouped(place + 1)} of ${grouped(order.length)}` : ""}</span>
      <span class="spread"></span>
      <button type="button" onClick=${() => step(-1)} disabled=${place <= 0} aria-label="frame before">←</button>
      <button type="button" onClick=${() => step(1)} disabled=${place < 0 || place + 1 >= order.length} aria-label="next frame">→</button>
      <button type="button" onClick=${() => dialog.current.close()} aria-label="close">Close</button></div>
    <div class="columns"><div>
      <div class="bar"><${OverlayChoice} state=${state} set=${set} />${state.overlay === "outcome" && html`<${Keys} />`}
        <button type="button" aria-pressed=${large} onClick=${() => setLarge(!large)}>${large ? "Fit" : "Pixel by pixel"}</button>
        <a href=${imageOf(position)} target="_blank" rel="noopener">The file</a></div>
      <${Toggles} state=${state} set=${set} />
      <div class=${`whole${large ? " large" : ""}`}><div class="stack" style=${large ? { width: `${width}px` } : { aspectRatio: `${width} / ${height}`, "--ratio": width / height }}>
        <img src=${imageOf(position)} width=${width} height=${height} alt=${describe(state, position)} /><canvas ref=${canvas} width="0" height="0"></canvas></div></div>
      ${detail?.error && html`<p class="notice">${detail.error.message}.</p>`}
    </div><div class="facts">
      ${judge && html`<p class="verdict"><span class=${`outcome o${outcomeOf(judge, threshold, position)}`}>${OUTCOMES[outcomeOf(judge, threshold, position)]}</span>${" "}score <b>${short(judge.scores[position])}</b>, threshold ${short(threshold)} · ${judge.name}</p>`}
      <h3>On it</h3>
      ${to > from ? html`<table><thead><tr><th>class</th><th>pixels</th><th>contrast to noise</th>${judge && html`<th>highest value</th>`}</tr></thead><tbody>
        ${Array.from({ length: to - from }, (_, k) => from + k).map(k => html`<tr><td><i style=${{ background: classes[things.class_number[k]].colour }}></i>${classes[things.class_number[k]].name}</td>
          <td>${grouped(things.area[k])}</td><td>${short(things.contrast[k])}</td>${judge && html`<td class=${classes[things.class_number[k]].family === DEFECT && judge.peaks[k] < threshold ? "lost" : ""}>${short(judge.peaks[k])}</td>`}</tr>`)}</tbody></table>`
        : html`<p class="soft">Neither defect nor impurity is in sight.</p>`}
      ${drawn.length > 0 && html`<h3>Drawn for it</h3><table class="drawn"><tbody>${drawn.map(([name, value]) => html`<tr><td>${name}</td><td>${value === null ? "–" : short(value)}</td></tr>`)}</tbody></table>`}
      ${detail?.made && html`<details><summary>How the picture was made</summary><pre>${JSON.stringify(detail.made, null, 1)}</pre></details>`}
      ${detail?.scene && html`<details><summary>The whole scene, in SI units</summary><pre>${JSON.stringify(detail.scene, null, 1)}</pre></details>`}
    </div></div></div></dialog>`;
}
