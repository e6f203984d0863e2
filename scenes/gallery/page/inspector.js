// How an inspector did, and what another threshold would do.
const GOOD_COLOUR = "#56b4e9", BAD_COLOUR = "#d55e00";

// Of the frames of an order that it was not trained on: how many of each outcome; and of each class, how many things
// reach the threshold.
function tally(judge, threshold, order) {
  const outcomes = [0, 0, 0, 0, 0], found = classes.map(() => [0, 0]);
  for (const k of order) {
    outcomes[outcomeOf(judge, threshold, k)]++;
    if (judge.seen[k]) continue;
    for (let t = firstThing[k]; t < firstThing[k + 1]; t++) {
      const counts = found[things.class_number[t]];
      counts[1]++;
      if (judge.peaks[t] >= threshold) counts[0]++;
    }
  }
  return { outcomes, found };
}

function Inspector({ state, set, order }) {
  const judge = judges[state.judge], threshold = state.thresholds[state.judge];
  const move = value => set({ thresholds: state.thresholds.map((old, k) => (k === state.judge ? value : old)) });
  const [low, high] = useMemo(() => range([...judge.scores, threshold]), [state.judge]);
  const series = useMemo(() => [0, 1].map(kind => {
    const mine = order.filter(k => !judge.seen[k] && flawed[k] === kind);
    return { counts: bins(Float32Array.from(mine, k => judge.scores[k]), low, high, BINS).map(count => count / (mine.length || 1)), colour: kind ? BAD_COLOUR : GOOD_COLOUR };
  }), [order, state.judge]);
  const { outcomes: [hits, missed, alarms, passed, seen], found } = tally(judge, threshold, order);
  const show = name => set({ outcomes: [name], tab: "frames", overlay: "outcome", sort: "score", falling: name !== "missed" });
  const row = (title, count, key) => html`<button type="button" class=${`count ${key}`} data-outcome=${title} onClick=${() => show(title)} disabled=${!count}><b>${grouped(count)}</b> ${title}</button>`;
  return html`<div class="scrolled"><section><h2>${judges.length > 1 ? html`<select id="judge" aria-label="inspector" value=${state.judge} onChange=${event => set({ judge: Number(event.target.value) })}>
      ${judges.map(({ name }, k) => html`<option value=${k}>${name}</option>`)}</select>` : judge.name}</h2>
    <p class="soft">${judge.threshold === null ? "It has no threshold of its own: this one parts flawed frames from good ones best, here." : `Its own threshold is ${short(judge.threshold)}: ${judge.origin}.`} Drag the line.</p>
    <div class="card"><p class="legend"><span><i style=${{ background: GOOD_COLOUR }}></i>good frames</span><span><i style=${{ background: BAD_COLOUR }}></i>flawed frames</span></p>
      <${Histogram} label="scores of good and flawed frames" height=${220} low=${low} high=${high} series=${series} share=${true} mark=${threshold} onMark=${move} />
      <div class="axis">score: the highest value of a frame's map</div>
      <label class="bar">Threshold <input type="range" id="threshold" min=${low} max=${high} step=${(high - low) / 500 || 1} value=${threshold} onInput=${event => move(Number(event.target.value))} />
        <output id="threshold-value">${short(threshold)}</output>
        <button type="button" onClick=${() => move(startThreshold(judge))}>Back</button></label></div>
    <div class="counts" aria-live="polite">${row("hit", hits, "o0")}${row("missed", missed, "o1")}${row("false alarm", alarms, "o2")}${row("passed", passed, "o3")}</div>
    <p>${percent(hits / (hits + missed))} of the flawed frames are found, ${percent(alarms / (alarms + passed))} of the good ones are flagged; of all that are flagged ${percent(hits / (hits + alarms))} are flawed.
      ${seen ? ` ${grouped(seen)} frames are left out: it was trained on their surfaces, or kept them back.` : ""}</p>
    <h3>Thing by thing</h3>
    <div class="card"><table id="found"><thead><tr><th>class</th><th>in sight</th><th>reach the threshold</th><th>share</th></tr></thead><tbody>
      ${classes.map(({ name, family, colour }, k) => found[k][1] > 0 && html`<tr data-class=${name}><td><i style=${{ background: colour }}></i>${name} <small>${family}</small></td><td>${grouped(found[k][1])}</td><td>${grouped(found[k][0])}</td><td>${percent(found[k][0] / found[k][1])}</td></tr>`)}
    </tbody></table><p class="soft">Of defects, many should; of impurities, few.</p></div>
    <p class="soft">Select a count to see its frames with <${Keys} /> painted over them, from maps reduced to the thumbnails' size. Counts are of whole pictures at full size.</p>
  </section></div>`;
}
