// Which frames are shown, and in what order: pure functions of a state.
const OUTCOMES = ["hit", "missed", "false alarm", "passed", "trained on"];
const START = {
  tab: "frames", classes: classes.map(() => 0), bare: false, ranges: {}, outcomes: [], duplicates: false,
  sort: "number", falling: false, judge: 0, thresholds: judges.map(startThreshold),
  shown: classes.map(() => true), overlay: "masks",
};

// Quantities by which frames are filtered and sorted. Those of things: a frame is kept that has such a thing.
function quantities(state) {
  const found = new Map();
  const judge = judges[state.judge];
  if (judge) found.set("score", { title: "score", values: judge.scores });
  if (thingCount) {
    found.set("area", { title: "size of a thing, pixels", values: things.area, ofThings: true, log: true });
    found.set("contrast", { title: "contrast to noise", values: things.contrast, ofThings: true });
  }
  found.set("brightness", { title: "mean brightness", values: brightness });
  for (const [name, values] of parameters) found.set(`parameter ${name}`, { title: name, values });
  return found;
}

function outcomeOf(judge, threshold, position) {
  if (judge.seen[position]) return 4;
  return judge.scores[position] >= threshold ? (flawed[position] ? 0 : 2) : (flawed[position] ? 1 : 3);
}

// Where an inspector has no threshold: the one that parts flawed from good frames best.
function startThreshold(judge) {
  if (judge.threshold !== null) return judge.threshold;
  const order = [...judge.scores.keys()].filter(k => !judge.seen[k]).sort((a, b) => judge.scores[b] - judge.scores[a]);
  const bad = order.filter(k => flawed[k]).length, good = order.length - bad;
  let hits = 0, alarms = 0, best = -Infinity, found = order.length ? judge.scores[order[0]] : 0;
  order.forEach((k, place) => {
    if (flawed[k]) hits++; else alarms++;
    if (place + 1 < order.length && judge.scores[order[place + 1]] === judge.scores[k]) return;
    const gain = hits / (bad || 1) - alarms / (good || 1);
    if (gain > best) { best = gain; found = judge.scores[k]; }
  });
  return found;
}

const isActive = ({ low, high }) => low !== null || high !== null;

function kept(state) {
  const known = quantities(state), judge = judges[state.judge], threshold = state.thresholds[state.judge];
  const required = state.classes.reduce((bits, wish, k) => bits | (wish === 1 ? 1 << k : 0), 0);
  const excluded = state.classes.reduce((bits, wish, k) => bits | (wish === 2 ? 1 << k : 0), 0);
  const ranges = Object.entries(state.ranges).filter(([key, wish]) => isActive(wish) && known.has(key))
    .map(([key, { low, high }]) => ({ ...known.get(key), low: low ?? -Infinity, high: high ?? Infinity }));
  const outcomes = judge && state.outcomes.length ? state.outcomes.map(name => OUTCOMES.indexOf(name)) : null;
  const found = [];
  frame: for (let k = 0; k < frames; k++) {
    if ((classBits[k] & required) !== required || classBits[k] & excluded) continue;
    if (state.bare && flawed[k]) continue;
    if (state.duplicates && group[k] < 0) continue;
    if (outcomes && !outcomes.includes(outcomeOf(judge, threshold, k))) continue;
    for (const { values, ofThings, low, high } of ranges) {
      if (!ofThings) { if (!(values[k] >= low && values[k] <= high)) continue frame; continue; }
      let any = false;
      for (let t = firstThing[k]; t < firstThing[k + 1] && !any; t++) any = values[t] >= low && values[t] <= high;
      if (!any) continue frame;
    }
    found.push(k);
  }
  return ordered(found, state, known);
}

function ordered(found, state, known) {
  if (state.sort === "number") return state.falling ? found.reverse() : found;
  const quantity = state.sort === "group" ? { values: group } : known.get(state.sort);
  if (!quantity) return found;
  const value = k => {
    if (!quantity.ofThings) return quantity.values[k];
    let most = NaN;  // the largest of a frame's things
    for (let t = firstThing[k]; t < firstThing[k + 1]; t++) if (!(most >= quantity.values[t])) most = Number.isNaN(quantity.values[t]) ? most : quantity.values[t];
    return most;
  };
  const worth = new Map(found.map(k => [k, value(k)])), turn = state.falling ? -1 : 1;
  return found.sort((a, b) => {
    const x = worth.get(a), y = worth.get(b);
    if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y) || a - b;  // without any, last
    return turn * (x - y) || a - b;
  });
}
