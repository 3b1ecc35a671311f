// Draws a result beside its player. Text from files is only ever set as text, never as markup.
const SVG = 'http://www.w3.org/2000/svg';
const DASHES = ['', '9 4', '2 4', '12 4 2 4', '5 3', '14 5', '1 3'];
const LEFT = 40, RIGHT = 10;
const put = (node, attributes, children) => {
  for (const [name, value] of Object.entries(attributes)) if (value !== null) node.setAttribute(name, value);
  node.append(...children.filter((child) => child !== null));
  return node;
};
const h = (tag, attributes = {}, ...children) => put(document.createElement(tag), attributes, children);
const s = (tag, attributes = {}, ...children) => put(document.createElementNS(SVG, tag), attributes, children);
const clock = (seconds) => `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(1).padStart(4, '0')}`;
const shown = (value, unit) => (value === null ? '–' : unit === '%' ? `${Math.round(value)} %` : value.toFixed(2));
let stop = () => {};

const stage = () => {
  stop();
  const found = element.querySelector('.hm-stage');
  found.replaceChildren();
  return found;
};

function showEmpty() {
  stage().append(
    h('div', { class: 'hm-empty' }, h('p', {}, 'The result appears here: the player, the emotion over time, faces and sound.')),
  );
}

function showWaiting() {
  stage().append(h('div', { class: 'hm-empty', role: 'status' }, h('p', {}, 'Analysing the recording …')));
}

function showProblem(problem) {
  stage().append(
    h('div', { class: 'hm-problem', role: 'alert' }, h('span', { class: 'hm-sign', 'aria-hidden': 'true' }, '!'),
      h('div', {}, h('h2', {}, problem.title), h('p', {}, problem.advice),
        problem.file ? h('p', { class: 'hm-file' }, problem.file) : null)),
  );
}

function swatch(number, width = 30) {
  return s('svg', { width, height: 10, class: 'hm-swatch', 'aria-hidden': 'true' },
    s('line', { x1: 0, x2: width, y1: 5, y2: 5, class: `hm-line hm-c${number}`, 'stroke-dasharray': DASHES[number] }));
}

function makePlayer(result) {
  const address = window.hicmaeMedia();
  const missing = h('p', { class: 'hm-hint', hidden: '' }, 'Your browser cannot play this recording; move along the timeline instead.');
  const label = `Your recording, ${result.name}`;
  const player = address ? h(result.media, { src: address, controls: '', preload: 'auto', playsinline: '', 'aria-label': label }) : null;
  if (player) player.addEventListener('error', () => { player.hidden = true; missing.hidden = false; });
  else missing.hidden = false;
  const caption = h('figcaption', {}, `${result.name} · ${clock(result.seconds)}`);
  return { player, box: h('figure', { class: `hm-player hm-${result.media}` }, player, missing, caption) };
}

function makeScores(result) {
  const meters = [];
  const several = result.panels.length > 1;
  const lists = result.panels.map((panel) => h('div', {}, several ? h('p', { class: 'hm-title' }, panel.title) : null, h('ul', { class: 'hm-meters' }, ...panel.series.map((line, number) => {
    const share = (value) => (100 * (value - panel.low)) / (panel.high - panel.low);
    const bar = h('span', { class: `hm-fill hm-b${number}` });
    const mark = h('span', { class: 'hm-mark', style: `left: ${share(line.overall)}%` });
    const number_ = h('span', { class: 'hm-value' });
    meters.push((seconds) => {
      const value = line.values[stepAt(panel, seconds)];
      bar.style.width = `${value === null ? 0 : Math.max(share(value), 0.5)}%`;
      number_.textContent = shown(value, panel.unit);
    });
    return h('li', {}, swatch(number), h('span', { class: 'hm-name' }, line.name),
      h('span', { class: 'hm-bar', 'aria-hidden': 'true' }, bar, mark), number_,
      h('span', { class: 'hm-overall' }, h('span', { class: 'hm-hidden' }, 'whole recording '), shown(line.overall, panel.unit)));
  }))));
  const moment = h('span', { class: 'hm-moment' });
  const box = h('div', { class: 'hm-scores' },
    h('p', { class: 'hm-eyebrow' }, 'Over the whole recording, most like'),
    h('h2', { class: 'hm-headline' }, result.headline.text, ' ', h('small', {}, result.headline.value)),
    h('p', { class: 'hm-columns' }, h('span', {}, 'now, at ', moment), h('span', {}, 'whole')),
    ...lists,
    h('p', { class: 'hm-hint' }, 'The thin mark on each bar is the whole recording.'));
  return { box, moment, meters };
}

function stepAt(panel, seconds) {
  let low = 0, high = panel.edges.length - 2;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (seconds >= panel.edges[middle]) low = middle;
    else high = middle - 1;
  }
  return low;
}

function leader(panel, step) {
  let best = -1;
  panel.series.forEach((line, number) => {
    if (line.values[step] !== null && (best < 0 || line.values[step] > panel.series[best].values[step])) best = number;
  });
  return best;
}

function drawBand(panel, x) {
  const svg = s('svg', { height: 30 });
  const steps = panel.edges.length - 1;
  for (let first = 0, next; first < steps; first = next) {
    const number = leader(panel, first);
    for (next = first + 1; next < steps && leader(panel, next) === number; next += 1);
    const [left, right] = [x(panel.edges[first]), x(panel.edges[next])];
    const gap = right - left > 8 ? 1 : 0;
    svg.append(s('rect', { x: left + gap, y: 2, width: right - left - 2 * gap, height: 26, rx: 4 * gap, class: number < 0 ? 'hm-none' : `hm-f${number}` }));
    const name = number < 0 ? '' : panel.series[number].name;
    if (right - left > 8 * name.length + 8) svg.append(s('text', { x: (left + right) / 2, y: 20, class: 'hm-ink', 'text-anchor': 'middle' }, name));
  }
  return svg;
}

function drawLines(panel, x, width, height) {
  const svg = s('svg', { height });
  const y = (value) => 8 + ((height - 16) * (panel.high - value)) / (panel.high - panel.low);
  const ticks = panel.unit === '%' ? [0, 50, 100] : [panel.low, (panel.low + panel.high) / 2, panel.high];
  ticks.forEach((tick) => svg.append(
    s('line', { x1: LEFT, x2: width - RIGHT, y1: y(tick), y2: y(tick), class: 'hm-grid' }),
    s('text', { x: LEFT - 6, y: y(tick) + 4, 'text-anchor': 'end', class: 'hm-tick' }, panel.unit === '%' ? String(tick) : tick.toFixed(2))));
  for (let step = 0; step < panel.edges.length - 1; step += 1) {
    if (leader(panel, step) < 0) svg.append(s('rect', { x: x(panel.edges[step]), y: 8, width: x(panel.edges[step + 1]) - x(panel.edges[step]), height: height - 16, class: 'hm-none' }));
  }
  panel.series.forEach((line, number) => {
    let path = '', isOpen = false;
    line.values.forEach((value, step) => {
      if (value === null) { isOpen = false; return; }
      path += `${isOpen ? 'L' : 'M'}${x(panel.edges[step]).toFixed(1)} ${y(value).toFixed(1)}H${x(panel.edges[step + 1]).toFixed(1)}`;
      isOpen = true;
    });
    const isLong = panel.form === 'long lines';
    svg.append(s('path', { d: path, class: `hm-line hm-c${number}${isLong ? ' hm-thin' : ''}`, 'stroke-dasharray': isLong ? null : DASHES[number], fill: 'none' }));
  });
  return svg;
}

// A row for each name: its height is the value. Lines of many steps in one chart would hide each other.
function drawRows(panel, x, width) {
  const each = 26, svg = s('svg', { height: each * panel.series.length });
  panel.series.forEach((line, number) => {
    const base = each * (number + 1) - 3;
    let path = '';
    line.values.forEach((value, step) => {
      const [left, right] = [x(panel.edges[step]).toFixed(1), x(panel.edges[step + 1]).toFixed(1)];
      if (value === null) svg.append(s('rect', { x: left, y: base - each + 5, width: right - left, height: each - 5, class: 'hm-none' }));
      else path += `M${left} ${base}V${(base - ((each - 5) * (value - panel.low)) / (panel.high - panel.low)).toFixed(1)}H${right}V${base}Z`;
    });
    svg.append(
      s('line', { x1: LEFT, x2: width - RIGHT, y1: base, y2: base, class: 'hm-grid' }),
      s('path', { d: path, class: `hm-f${number}` }),
      s('text', { x: LEFT + 4, y: base - 8, class: 'hm-tick hm-halo' }, line.name));
  });
  return svg;
}

function drawFaces(result, x, width) {
  const half = width < 620 && result.strip.length > 6;
  const strip = half ? result.strip.filter((_, number) => number % 2 === 0) : result.strip;
  const faces = h('div', { class: 'hm-faces', style: `margin-left: ${LEFT}px; margin-right: ${RIGHT}px` }, ...strip.map((face) => {
    const when = clock(face.seconds);
    return face.src ? h('img', { src: face.src, alt: `Face at ${when}`, width: 112, height: 112 })
      : h('span', { class: 'hm-noface', role: 'img', 'aria-label': `No face at ${when}` }, 'no face');
  }));
  if (!result.face_spans.length) return [faces];
  const svg = s('svg', { height: 10, role: 'img', 'aria-label': 'When a face was found' });
  result.face_spans.forEach(([start, end, isSeen]) => svg.append(
    s('rect', { x: x(start), y: 3, width: Math.max(x(end) - x(start), 1), height: 5, class: isSeen ? 'hm-seen' : 'hm-none' })));
  return [faces, svg];
}

function drawSound(sound, x, height) {
  const svg = s('svg', { height, role: 'img', 'aria-label': 'Loudness over time' });
  const count = sound.low.length;
  const loudest = Math.max(1e-3, ...sound.high, ...sound.low.map((value) => -value));
  const y = (value) => (height / 2) * (1 - (0.95 * value) / loudest);
  const at = (index) => x(((index + 0.5) * sound.seconds) / count).toFixed(1);
  const upper = sound.high.map((value, index) => `${at(index)} ${y(value).toFixed(1)}`);
  const lower = sound.low.map((value, index) => `${at(index)} ${y(value).toFixed(1)}`).reverse();
  svg.append(s('path', { d: `M${upper.concat(lower).join('L')}Z`, class: 'hm-wave' }));
  return svg;
}

function drawSpectrogram(picture, x, width, height) {
  const svg = s('svg', { height, role: 'img', 'aria-label': 'Spectrogram: energy of the sound over time and frequency, bright is loud' });
  svg.append(s('image', { href: picture.src, x: x(0), y: 0, width: x(picture.seconds) - x(0), height, preserveAspectRatio: 'none' }));
  picture.ticks.forEach((tick) => svg.append(
    s('text', { x: LEFT - 6, y: height * (1 - tick.at) + 4, 'text-anchor': 'end', class: 'hm-tick' }, tick.label)));
  return svg;
}

function drawAxis(seconds, x, width) {
  const svg = s('svg', { height: 24 });
  const steps = [0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600];
  const step = steps.find((value) => (x(value) - x(0)) > 56) || 1200;
  for (let tick = 0; tick <= seconds + 1e-6; tick += step) {
    const anchor = tick === 0 || x(tick) < width - 24 ? 'middle' : 'end';
    svg.append(s('line', { x1: x(tick), x2: x(tick), y1: 0, y2: 5, class: 'hm-grid' }),
      s('text', { x: x(tick), y: 18, 'text-anchor': anchor, class: 'hm-tick' }, step < 1 ? tick.toFixed(1) : String(tick)));
  }
  return svg;
}

function drawTimeline(result, tracks) {
  const width = tracks.clientWidth;
  const x = (seconds) => LEFT + ((width - LEFT - RIGHT) * Math.min(seconds, result.seconds)) / result.seconds;
  const rows = [];
  const row = (title, ...drawn) => rows.push(h('div', { class: 'hm-row' }, h('p', { class: 'hm-title' }, title), ...drawn));
  result.panels.forEach((panel) => {
    if (panel.unit === '%') row('leading emotion', drawBand(panel, x));
    row(panel.title, panel.form === 'rows' ? drawRows(panel, x, width) : drawLines(panel, x, width, width < 620 ? 150 : 190));
  });
  if (result.strip.length) row(result.face_spans.length ? 'face found' : 'pictures', ...drawFaces(result, x, width));
  if (result.sound) row('sound', drawSound(result.sound, x, 48));
  if (result.spectrogram) row('frequency (kHz)', drawSpectrogram(result.spectrogram, x, width, 90));
  rows.push(h('div', { class: 'hm-row' }, drawAxis(result.seconds, x, width), h('p', { class: 'hm-title hm-axis' }, 'time (s)')));
  tracks.replaceChildren(...rows);
  tracks.querySelectorAll('svg:not([role])').forEach((svg) => svg.setAttribute('aria-hidden', 'true'));
  return x;
}

function makeNotes(result) {
  if (!result.notes.length) return '';
  return h('ul', { class: 'hm-notes', 'aria-label': 'Notes' }, ...result.notes.map((text) => h('li', {}, text)));
}

function makeDetails(result) {
  const names = Object.keys(result.rows[0]);
  const heads = names.map((name) => h('th', { scope: 'col' }, name.replaceAll('_', ' ')));
  const cell = (row, name) => h('td', name === 'text' ? { class: 'hm-said' } : {}, row[name]);
  const table = h('table', {}, h('thead', {}, h('tr', {}, ...heads)),
    h('tbody', {}, ...result.rows.map((row) => h('tr', {}, ...names.map((name) => cell(row, name))))));
  const save = (kind, type, label, ending) => {
    const button = h('button', { type: 'button', class: 'hm-button', id: `hm-save-${kind}` }, `Download ${label}`);
    button.addEventListener('click', () => {
      const address = URL.createObjectURL(new Blob([result.files[kind]], { type }));
      h('a', { href: address, download: `${result.files.stem}${ending}` }).click();
      setTimeout(() => URL.revokeObjectURL(address), 10000);
    });
    return button;
  };
  return [
    h('div', { class: 'hm-save' }, 
      save('json', 'application/json', 'JSON', '.json'),
      save('csv', 'text/csv', 'CSV', '.csv'),
      result.files.frames ? save('frames', 'text/csv', 'CSV of all frames', '_frames.csv') : null),
    h('details', {}, h('summary', {}, 'All numbers as a table'), h('div', { class: 'hm-scroll', tabindex: '0', role: 'region', 'aria-label': 'Table of all numbers' }, table)),
  ];
}

function showResult(result) {
  const { player, box } = makePlayer(result);
  const scores = makeScores(result);
  const tracks = h('div', { class: 'hm-tracks' });
  const cursor = h('div', { class: 'hm-cursor' });
  const slider = h('div', {
    class: 'hm-slider', role: 'slider', tabindex: '0', 'aria-label': 'Position in the recording',
    'aria-valuemin': '0', 'aria-valuemax': String(result.seconds),
  }, tracks, cursor);
  stage().append(h('section', { class: 'hm-result', 'aria-label': 'Result' },
    makeNotes(result), h('div', { class: 'hm-top' }, box, scores.box), slider, ...makeDetails(result)));

  let x = drawTimeline(result, tracks), now = 0;
  const show = (seconds) => {
    now = Math.min(Math.max(seconds, 0), result.seconds);
    const panel = result.panels[0], step = stepAt(panel, now), best = leader(panel, step);
    cursor.style.left = `${x(now)}px`;
    scores.moment.textContent = clock(now);
    scores.meters.forEach((meter) => meter(now));
    slider.setAttribute('aria-valuenow', now.toFixed(2));
    slider.setAttribute('aria-valuetext', best < 0 ? `${clock(now)}, no score`
      : `${clock(now)}, ${panel.series[best].name} ${shown(panel.series[best].values[step], panel.unit)}`);
  };
  const seek = (seconds) => {
    show(seconds);
    if (player && !player.hidden) player.currentTime = now;
  };
  const follow = () => { if (player) show(player.currentTime); };
  let frame = 0;
  const run = () => { follow(); frame = requestAnimationFrame(run); };
  if (player) {
    ['timeupdate', 'seeking', 'seeked'].forEach((name) => player.addEventListener(name, follow));
    player.addEventListener('play', () => { cancelAnimationFrame(frame); run(); });
    ['pause', 'ended'].forEach((name) => player.addEventListener(name, () => { cancelAnimationFrame(frame); follow(); }));
  }
  const secondsAt = (event) => {
    const area = tracks.getBoundingClientRect();
    return ((event.clientX - area.left - LEFT) / (area.width - LEFT - RIGHT)) * result.seconds;
  };
  slider.addEventListener('pointerdown', (event) => { slider.setPointerCapture(event.pointerId); seek(secondsAt(event)); });
  slider.addEventListener('pointermove', (event) => { if (slider.hasPointerCapture(event.pointerId)) seek(secondsAt(event)); });
  const moves = { ArrowLeft: -0.1, ArrowDown: -0.1, ArrowRight: 0.1, ArrowUp: 0.1, PageDown: -1, PageUp: 1, Home: -Infinity, End: Infinity };
  slider.addEventListener('keydown', (event) => {
    if (event.key === ' ' && player) { if (player.paused) player.play(); else player.pause(); }
    else if (event.key in moves) seek(now + moves[event.key]);
    else return;
    event.preventDefault();
  });
  const observer = new ResizeObserver(() => { x = drawTimeline(result, tracks); show(now); });
  observer.observe(slider);
  stop = () => { observer.disconnect(); cancelAnimationFrame(frame); stop = () => {}; };
  show(0);
}

function update() {
  const value = props.value;
  if (!value) showEmpty();
  else if (value.kind === 'problem') showProblem(value);
  else showResult(value);
}

document.addEventListener('hicmae-problem', (event) => showProblem(event.detail));
document.addEventListener('hicmae-start', showWaiting);
watch('value', update);
update();
