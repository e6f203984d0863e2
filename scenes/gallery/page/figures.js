// Figures of the frames that the filters keep: sizes, contrast, places, and real pictures beside them.
const CELLS = 40;

function thingsOf(order) {
  const found = [];
  for (const k of order) for (let t = firstThing[k]; t < firstThing[k + 1]; t++) found.push(t);
  return found;
}

const logged = values => Float32Array.from(values, value => Math.log10(Math.max(value, 1e-9)));
const logArea = logged(things.area), logContrast = Float32Array.from(things.contrast, value => (value > 0 ? Math.log10(value) : NaN));

// What is marked on the histogram of a class: the range that the filter on its quantity has, if any.
function chosenOf(state, key, low, high) {
  const wish = state.ranges[key];
  return wish && isActive(wish) ? [wish.low === null ? low : Math.log10(wish.low), wish.high === null ? high : Math.log10(wish.high)] : null;
}

function Sizes({ state, set, chosen }) {
  const [areaLow, areaHigh] = useMemo(() => range(logArea), []);
  const [plainLow, plainHigh] = useMemo(() => range(logContrast.filter(value => !Number.isNaN(value))), []);
  const choose = (key, number) => (low, high) => set({
    ranges: { ...state.ranges, [key]: { low: 10 ** low, high: 10 ** high } }, classes: state.classes.map((wish, k) => (k === number ? 1 : wish)),
  });
  return html`<section><h2>Sizes, and contrast to noise</h2>
    <p class="soft">Contrast to noise: how far the mean brightness of a thing lies from that around it, over the deviation there. Below 1 it can hardly be seen by brightness alone. Drag over a chart to filter by it.</p>
    <div class="cards">${classes.map(({ name, family, colour }, number) => {
      const mine = chosen.filter(t => things.class_number[t] === number);
      if (!mine.length) return null;
      const pick = values => Float32Array.from(mine, t => values[t]);
      const area = pick(things.area).sort(), plain = pick(things.contrast).filter(value => !Number.isNaN(value)).sort();
      const on = new Set(mine.map(t => things.frame[t])).size;
      return html`<figure class="card" data-class=${name}><h3><i style=${{ background: colour }}></i>${name} <small>${family}</small></h3>
        <p class="soft">${grouped(mine.length)} on ${grouped(on)} ${on === 1 ? "frame" : "frames"}; ${short(area[area.length >> 1])} pixels in the middle, ${short(area[0])} to ${short(area[area.length - 1])}.</p>
        <${Histogram} label=${`sizes of ${name}`} low=${areaLow} high=${areaHigh} log=${true} onChoose=${choose("area", number)} chosen=${chosenOf(state, "area", areaLow, areaHigh)}
          series=${[{ counts: bins(pick(logArea), areaLow, areaHigh, BINS), colour }]} /><div class="axis">pixels</div>
        ${plain.length > 0 && html`<${Histogram} label=${`contrast to noise of ${name}`} low=${plainLow} high=${plainHigh} log=${true} onChoose=${choose("contrast", number)} chosen=${chosenOf(state, "contrast", plainLow, plainHigh)}
          series=${[{ counts: bins(pick(logContrast), plainLow, plainHigh, BINS), colour }]} /><div class="axis">contrast to noise; ${short(plain[plain.length >> 1])} in the middle</div>`}
      </figure>`;
    })}</div></section>`;
}

function Places({ chosen }) {
  const canvas = useRef(null), [where, setWhere] = useState(data.charts.length ? "0" : "picture"), [which, setWhich] = useState("-1");
  const [height, width] = data.sizes[0];
  const ratio = where === "picture" ? height / width : data.charts[where][1] / data.charts[where][0];
  const columns = ratio > 1 ? Math.max(1, Math.round(CELLS / ratio)) : CELLS, rows = Math.max(1, Math.round(columns * ratio));
  const counted = useMemo(() => {
    const found = new Float64Array(rows * columns);
    let total = 0, lost = 0;
    for (const t of chosen) {
      if (which !== "-1" && things.class_number[t] !== Number(which)) continue;
      const onPart = where !== "picture";
      if (onPart && things.chart[t] !== Number(where)) { if (things.chart[t] < 0) lost++; continue; }
      const x = onPart ? things.u[t] : things.column[t], y = onPart ? 1 - things.v[t] : things.row[t];
      const column = Math.min(columns - 1, Math.max(0, Math.floor(x * columns))), row = Math.min(rows - 1, Math.max(0, Math.floor(y * rows)));
      found[row * columns + column]++;
      total++;
    }
    return { found, total, lost, most: found.reduce((a, b) => Math.max(a, b), 0) };
  }, [chosen, where, which]);
  useLayoutEffect(() => {
    const ramp = ["#000004", "#420a68", "#932667", "#dd513a", "#fca50a", "#fcffa4"].map(text => [1, 3, 5].map(at => parseInt(text.slice(at, at + 2), 16)));
    paint(canvas.current, rows, columns, pixels => {
      pixels.forEach((_, k) => {
        const share = counted.most ? counted.found[k] / counted.most * (ramp.length - 1) : 0, at = Math.min(ramp.length - 2, Math.floor(share));
        pixels[k] = tint([0, 1, 2].map(c => ramp[at][c] + (share - at) * (ramp[at + 1][c] - ramp[at][c])), 255);
      });
      return true;
    });
  }, [counted]);
  const size = where === "picture" ? null : data.charts[where].map(side => `${short(1000 * side)} mm`).join(" × ");
  return html`<section><h2>Where they lie</h2>
    <div class="bar"><label>On <select id="where" value=${where} onChange=${event => setWhere(event.target.value)}>
        ${data.charts.map((_, k) => html`<option value=${k}>${data.charts.length > 1 ? `the part's chart ${k + 1}` : "the part, unrolled"}</option>`)}
        <option value="picture">the picture</option></select></label>
      <label>Class <select id="which" value=${which} onChange=${event => setWhich(event.target.value)}><option value="-1">all</option>
        ${classes.map(({ name }, k) => html`<option value=${k}>${name}</option>`)}</select></label></div>
    <figure class="places"><canvas id="places" ref=${canvas} role="img" data-counts=${Array.from(counted.found).join(" ")} aria-label="how many things lie where" style=${{ aspectRatio: `${columns} / ${rows}`, maxWidth: `${Math.min(640, 440 / ratio)}px` }}></canvas>
      <figcaption><span class="ramp"></span> 0 to ${counted.most} in a cell · ${grouped(counted.total)} things by their middles${counted.lost ? `; of ${grouped(counted.lost)} it is not known where on the part` : ""}${size ? ` · usually ${size}` : ""}</figcaption></figure></section>`;
}

function Likes({ state, set, order }) {
  const all = group.reduce((sum, value) => sum + (value >= 0), 0), groups = group.reduce((most, value) => Math.max(most, value), -1) + 1;
  const shown = order.reduce((sum, k) => sum + (group[k] >= 0), 0);
  return html`<section><h2>Near-duplicates</h2>
    <p id="duplicates">${all ? `${grouped(all)} frames in ${grouped(groups)} groups show nearly the same fine structure as another; ${grouped(shown)} of them are kept by the filters.`
      : "No two frames show nearly the same fine structure."}</p>
    ${all > 0 && html`<button type="button" onClick=${() => set({ duplicates: true, sort: "group", falling: false, tab: "frames" })}>Show them, group by group</button>`}</section>`;
}

const Figures = ({ state, set, order }) => {
  const chosen = useMemo(() => thingsOf(order), [order]);
  return html`<div class="scrolled">${chosen.length ? html`<${Sizes} state=${state} set=${set} chosen=${chosen} /><${Places} chosen=${chosen} />`
    : html`<p class="soft">Nothing is on the frames that the filters keep.</p>`}
    <${Likes} state=${state} set=${set} order=${order} /></div>`;
};

function Real() {
  const { folder, frames: ours, real, figures, features, shown_frames, shown_real } = data.comparison;
  const colours = [colourNamed("--accent"), "#d55e00"];
  return html`<div class="scrolled"><section><h2>Beside real pictures</h2>
    <p class="soft"><b>${ours}</b> frames of this dataset and <b>${real}</b> pictures of ${folder}. Distance: the largest difference between the shares of both below any value; 0 where both are alike, 1 where one lies wholly above the other.</p>
    ${features ? html`<p>Features of ${features.features}: kernel distance <b>${short(features.distance)}</b> ± ${short(features.deviation)}; two halves of the real pictures lie ${short(features.floor)} apart.</p>`
      : html`<p class="soft">How far their features lie apart was not measured: that needs four pictures of either side, and <code>pip install 'blemish[anomaly]'</code>.</p>`}
    ${[["Frames", shown_frames], ["Real", shown_real]].map(([title, pictures]) => html`<h3>${title}</h3><div class="strip">${pictures.map(picture => html`<img src=${`data:image/webp;base64,${picture}`} alt=${`one of the ${title.toLowerCase()}`} />`)}</div>`)}
    <p class="legend"><span><i style=${{ background: colours[0] }}></i>frames</span><span><i style=${{ background: colours[1] }}></i>real pictures</span></p>
    <div class="cards">${figures.map(({ name, said, frames: mine, real: theirs, distance }) => {
      const [low, high] = range([...mine, ...theirs]);
      const share = values => bins(values, low, high, 24).map(count => count / values.length);
      return html`<figure class="card" data-figure=${name}><h3>${name.replaceAll("_", " ")} <small>distance <b>${distance.toFixed(2)}</b></small></h3><p class="soft">${said}</p>
        <${Histogram} label=${`${name} of frames and of real pictures`} low=${low} high=${high} share=${true}
          series=${[{ counts: share(mine), colour: colours[0] }, { counts: share(theirs), colour: colours[1] }]} /></figure>`;
    })}</div></section></div>`;
}
