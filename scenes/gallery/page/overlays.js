// Pictures of masks and outcomes. Canvases are painted from the page's own data: what a page from a file shows of other
// files it may not read.
const FILL = 120, HIT = [22, 163, 74], MISS = [220, 38, 38], ALARM = [37, 99, 235];  // green, red, blue
const OUTCOME_FILL = 150;
const colours = classes.map(({ colour }) => [1, 3, 5].map(at => parseInt(colour.slice(at, at + 2), 16)));
const defectBits = classes.reduce((bits, { family }, number) => bits | (family === DEFECT ? 1 << number : 0), 0);
// Defects are painted over impurities.
const paintOrder = classes.map((_, number) => number).sort((a, b) => (classes[a].family === DEFECT) - (classes[b].family === DEFECT) || b - a);

// Of a thumbnail, row by row: pairs of the bits of a pixel and how often they follow themselves.
const thumbnailRuns = thumbnail => new Uint16Array(bytes(thumbnail.classes).buffer);

// Bits of every pixel of a thumbnail.
function bitsOf(runs, height, width) {
  const found = new Uint16Array(height * width);
  for (let k = 0, at = 0; k < runs.length; k += 2) { found.fill(runs[k], at, at + runs[k + 1]); at += runs[k + 1]; }
  return found;
}

// COCO's compressed run lengths, column by column: calls back with the beginning and end of every run that is inside.
function eachRun(text, call) {
  const counts = [];
  for (let at = 0; at < text.length;) {
    let value = 0, shift = 0, more = true;
    while (more) {
      const code = text.charCodeAt(at++) - 48;
      value |= (code & 0x1f) << shift;
      more = (code & 0x20) !== 0;
      shift += 5;
      if (!more && code & 0x10) value |= -1 << shift;
    }
    if (counts.length > 2) value += counts[counts.length - 2];
    counts.push(value);
  }
  for (let k = 0, at = 0; k < counts.length; k++) { if (k % 2) call(at, at + counts[k]); at += counts[k]; }
}

// Bits of every pixel of a whole frame.
function frameBits(position, detail) {
  const [height, width] = data.sizes[position], found = new Uint16Array(height * width);
  detail.runs.forEach((text, k) => {
    const bit = 1 << things.class_number[firstThing[position] + k];
    eachRun(text, (from, to) => {
      for (let at = from; at < to; at++) found[(at % height) * width + Math.floor(at / height)] |= bit;
    });
  });
  return found;
}

// A colour with its opacity as one number, in the order in which ImageData has them on every machine of today.
const tint = ([red, green, blue], opacity) => (opacity << 24 | Math.round(blue) << 16 | Math.round(green) << 8 | Math.round(red)) >>> 0;
const HIT_TINT = tint(HIT, OUTCOME_FILL), MISS_TINT = tint(MISS, OUTCOME_FILL), ALARM_TINT = tint(ALARM, OUTCOME_FILL);
let sheet = null;  // of the size that was painted last, so that a thousand thumbnails leave no thousand behind

// Paint a canvas by its pixels, which `fill` is to set; it gives back whether there is anything to be seen.
function paint(canvas, height, width, fill) {
  if (sheet?.width !== width || sheet.height !== height) sheet = new ImageData(width, height);
  if (!fill(new Uint32Array(sheet.data.buffer))) { blank(canvas); return; }
  resize(canvas, height, width);
  canvas.getContext("2d").putImageData(sheet, 0, 0);
}

function resize(canvas, height, width) {
  if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
}

// Nothing to do for a canvas that was never painted.
function blank(canvas) {
  if (canvas.width) canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
}

// The tint of a pixel with these bits, where masks of some classes are shown.
function tints(shown) {
  const known = new Map([[0, 0]]);
  return bits => {
    if (!known.has(bits)) {
      let found = 0;
      for (const number of paintOrder) if (bits >> number & 1 && shown[number]) found = tint(colours[number], FILL);
      known.set(bits, found);
    }
    return known.get(bits);
  };
}

function paintRuns(canvas, runs, height, width, shown) {
  const tintOf = tints(shown);
  paint(canvas, height, width, pixels => {
    let seen = 0;
    for (let k = 0, at = 0; k < runs.length; k += 2) {
      const found = tintOf(runs[k]);
      pixels.fill(found, at, at += runs[k + 1]);
      seen |= found;
    }
    return seen;
  });
}

function paintMasks(canvas, bits, height, width, shown) {
  const tintOf = tints(shown);
  paint(canvas, height, width, pixels => bits.reduce((seen, value, k) => seen | (pixels[k] = value && tintOf(value)), 0));
}

// A map's levels, 0 to 255, at any size: smoothed between the pixels of its thumbnail.
async function levelsOf(judge, position, height, width) {
  const image = new Image();
  image.src = `data:image/png;base64,${await mapOf(judge, position)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = width; canvas.height = height;
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.imageSmoothingEnabled = true; pen.imageSmoothingQuality = "high";
  pen.drawImage(image, 0, 0, width, height);
  const { data: pixels } = pen.getImageData(0, 0, width, height), found = new Uint8Array(height * width);
  for (let k = 0; k < found.length; k++) found[k] = pixels[4 * k];
  return found;
}

// The level of a frame's map from which on it reaches a threshold.
function levelAt(judge, position, threshold) {
  const low = judge.low[position], high = judge.high[position];
  if (threshold <= low) return 0;
  return high > low && threshold <= high ? 255 * (threshold - low) / (high - low) : 256;
}

function paintOutcome(canvas, bits, levels, level, height, width) {
  paint(canvas, height, width, pixels => {
    let seen = 0;
    for (let k = 0; k < pixels.length; k++) {
      const there = bits[k] & defectBits;
      seen |= pixels[k] = levels[k] >= level ? (there ? HIT_TINT : ALARM_TINT) : there ? MISS_TINT : 0;
    }
    return seen;
  });
}
