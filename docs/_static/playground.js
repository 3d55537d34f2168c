// The playground: what the loops of notebook 01 print, computed and drawn again whenever a slider moves.
window.belowRandom = (() => {
  "use strict";

  // The law. Pure functions: tests/site/test_playground.py compares them with notebooks 01 and 02.

  /** `hits` ones among `rows` zeros, in front or spread evenly: of the first k rows k * hits / rows, rounded. */
  function testRows(rows, hits, hitsFirst) {
    const among = (k) => (hitsFirst ? Math.min(k, hits) : Math.floor((2 * k * hits + rows) / (2 * rows)));
    return Array.from({ length: rows }, (_, i) => among(i + 1) - among(i));
  }

  /** The three accuracies of test rows (1: hit, 0: miss) in batches, and both counters after each batch. */
  function law(hits, batchSize) {
    const trace = [];
    let overwritten = 0;
    let accumulated = 0;
    let shares = 0;
    for (let start = 0; start < hits.length; start += batchSize) {
      const batch = hits.slice(start, start + batchSize);
      const batchHits = batch.reduce((sum, hit) => sum + hit, 0);
      overwritten = batchHits; // the bug
      accumulated += batchHits;
      shares += batchHits / batch.length;
      trace.push({ rows: batch.length, overwritten, accumulated });
    }
    const n = hits.length;
    return { trace, broken: overwritten / n, fixed: accumulated / n, meanOfBatches: shares / trace.length };
  }

  // The drawings: inline SVG, 360 wide, so that its words stay legible on a phone.

  const BOX = { left: 44, right: 346, top: 48, bottom: 216 };

  function add(svg, tag, attributes, text = "") {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
    element.textContent = text;
    svg.append(element);
  }

  function step(top) {
    const power = 10 ** Math.floor(Math.log10(top / 2));
    return [1, 2, 5, 10].map((digit) => digit * power).find((width) => top / width <= 5);
  }

  /** Empty axes from 0; returns where a value lies in them. */
  function axes(svg, xTop, yTop, xLabel, yLabel, words) {
    const x = (value) => BOX.left + ((BOX.right - BOX.left) * value) / xTop;
    const y = (value) => BOX.bottom - ((BOX.bottom - BOX.top) * value) / yTop;
    svg.replaceChildren();
    svg.setAttribute("aria-label", words);
    const ticks = (top, least) => {
      const width = Math.max(least, step(top));
      return Array.from({ length: Math.floor(top / width + 1e-9) + 1 }, (_, i) => Number((i * width).toFixed(1)));
    };
    let path = `M${BOX.left} ${BOX.top}V${BOX.bottom}H${BOX.right}`;
    for (const tick of ticks(xTop, 1)) {
      path += `M${x(tick)} ${BOX.bottom}v4`;
      add(svg, "text", { x: x(tick), y: BOX.bottom + 20, "text-anchor": "middle" }, tick);
    }
    for (const tick of ticks(yTop, yTop > 1 ? 1 : 0.2)) {
      path += `M${BOX.left} ${y(tick)}h-4`;
      add(svg, "text", { x: BOX.left - 8, y: y(tick) + 5, "text-anchor": "end" }, tick);
    }
    add(svg, "path", { class: "play-axis", d: path });
    add(svg, "text", { x: BOX.right, y: BOX.bottom + 39, "text-anchor": "end" }, xLabel);
    add(svg, "text", { x: 4, y: 14 }, yLabel);
    return { x, y };
  }

  function line(svg, kind, points) {
    add(svg, "path", { class: `play-line play-${kind}`, d: "M" + points.map((point) => point.join(" ")).join("L") });
  }

  function dots(svg, kind, points) {
    add(svg, "path", { class: `play-dots play-${kind}`, d: points.map(([x, y]) => `M${x} ${y}h.01`).join("") });
  }

  function marker(svg, kind, x, y) {
    const circle = "m-8 0a8 8 0 1 0 16 0a8 8 0 1 0 -16 0z";
    const shapes = { broken: "m-6 -6h12v12h-12z", fixed: circle, mean: "m0 -5l5 5l-5 5l-5 -5z" };
    add(svg, "path", { class: `play-marker play-${kind}`, d: `M${x} ${y}${shapes[kind]}` });
  }

  function drawTrace(svg, rows, { trace }) {
    const last = trace[trace.length - 1];
    const words =
      `n_correct after each of ${trace.length} batches: ` +
      `with += it climbs to ${last.accumulated}, with = it ends at ${last.overwritten}.`;
    const { x, y } = axes(svg, trace.length, rows, "batches so far", "n_correct (rows)", words);
    const ends = { fixed: last.accumulated, broken: last.overwritten };
    for (const [kind, counter] of [["fixed", "accumulated"], ["broken", "overwritten"]]) {
      const points = [[x(0), y(0)], ...trace.map((batch, i) => [x(i + 1), y(batch[counter])])];
      line(svg, kind, points);
      if (trace.length <= 20) dots(svg, kind, points.slice(1));
      marker(svg, kind, x(trace.length), y(ends[kind]));
    }
    const near = trace.slice(Math.floor(0.6 * trace.length)).map((batch) => batch.overwritten);
    const low = y(Math.max(...near)) - 12; // over the marker and the line before it
    const high = Math.min(y(ends.fixed) - 12, low - 17);
    add(svg, "text", { x: BOX.right + 8, y: low, "text-anchor": "end" }, `= ends at ${ends.broken}`);
    add(svg, "text", { x: BOX.right + 8, y: high, "text-anchor": "end" }, `+= ends at ${ends.fixed}`);
  }

  function drawSawtooth(svg, hits, batchSize, top, now) {
    const laws = Array.from({ length: top }, (_, i) => law(hits, i + 1));
    const most = Math.max(...laws.slice(0, hits.length - 1).map((found) => found.broken));
    const words =
      `Printed accuracy against batch sizes from 1 to ${top}. At ${batchSize}: broken loop ${now.broken.toFixed(4)}, ` +
      `fixed loop ${now.fixed.toFixed(4)}, mean of the batches ${now.meanOfBatches.toFixed(4)}. ` +
      `Below ${hits.length} the broken loop prints at most ${most.toFixed(4)}, from there on the truth.`;
    const { x, y } = axes(svg, top, 1, "batch size of the test loader", "printed accuracy", words);
    const points = (name) => laws.map((found, i) => [x(i + 1), y(found[name])]);
    add(svg, "path", { class: "play-axis", d: `M${x(batchSize)} ${BOX.top}V${BOX.bottom}` });
    line(svg, "fixed", points("fixed"));
    line(svg, "mean", points("meanOfBatches"));
    dots(svg, "broken", points("broken"));
    marker(svg, "fixed", x(batchSize), y(now.fixed));
    marker(svg, "broken", x(batchSize), y(now.broken));
    marker(svg, "mean", x(batchSize), y(now.meanOfBatches));
    const left = batchSize < top / 8 ? x(batchSize) + 12 : x(0) + 6;
    add(svg, "text", { x: left, y: y(now.fixed) - 10 }, "+=");
    if (now.fixed > 0.15) add(svg, "text", { x: left, y: y(0.3 * now.fixed) - 8 }, "="); // over the small teeth
    const off = laws.map((found) => Math.abs(found.meanOfBatches - found.fixed));
    const at = off.indexOf(Math.max(...off)); // its name stands where it is furthest off
    const mean = laws[at].meanOfBatches;
    const height = mean < now.fixed ? Math.min(y(mean) + 18, BOX.bottom - 6) : y(mean) - 8;
    if (off[at] > 0) add(svg, "text", { x: x(at + 1), y: height, "text-anchor": "end" }, "mean of the batches");
  }

  // The page: sliders in, words and drawings out.

  function start() {
    const find = (name) => document.getElementById(`play-${name}`);
    const sliders = { batch: find("batch"), rows: find("rows"), accuracy: find("accuracy") };
    const say = (output, number, words) => {
      const parts = ["b", "span"].map((tag) => document.createElement(tag));
      parts[0].textContent = number.toFixed(4);
      parts[1].textContent = words;
      output.replaceChildren(parts[0], " ", parts[1]);
    };
    const update = () => {
      const rows = sliders.rows.valueAsNumber;
      sliders.batch.max = rows + Math.ceil(rows / 10); // the browser moves a batch size that is over it
      const batchSize = sliders.batch.valueAsNumber;
      const count = Math.round((sliders.accuracy.valueAsNumber * rows) / 100);
      const hits = testRows(rows, count, find("first").checked);
      const now = law(hits, batchSize);
      const last = now.trace[now.trace.length - 1];
      const settings = { batch: batchSize, rows, accuracy: `${sliders.accuracy.value} %, ${count} hits` };
      for (const [name, text] of Object.entries(settings)) {
        document.querySelector(`output[for="play-${name}"]`).textContent = text;
        sliders[name].setAttribute("aria-valuetext", text);
      }
      const shares = now.trace.map((batch) => `${batch.overwritten}/${batch.rows}`);
      if (shares.length > 4) shares.splice(2, shares.length - 3, "…");
      const batches = `${now.trace.length} ${now.trace.length === 1 ? "batch" : "batches"}`;
      say(find("broken"), now.broken, `hits in the last batch ${last.overwritten} / all rows ${rows}`);
      say(find("fixed"), now.fixed, `all hits ${count} / all rows ${rows}`);
      say(find("mean"), now.meanOfBatches, `(${shares.join(" + ")}) / ${batches}`);
      drawTrace(find("trace"), rows, now);
      drawSawtooth(find("sawtooth"), hits, batchSize, Number(sliders.batch.max), now);
    };
    document.getElementById("playground").addEventListener("input", update);
    document.getElementById("playground").hidden = false;
    update();
  }

  start();
  return { law, testRows };
})();
