// Charts in plain SVG.
import {html} from './vendor/preact.js';

const width = 900, height = 150, left = 44, bottom = 22, top = 10;

// nice is the least round number that is not smaller.
function nice(n) {
  const unit = 10 ** Math.floor(Math.log10(Math.max(1, n)));
  return [1, 2, 5, 10].map((k) => k * unit).find((k) => k >= n);
}

// Bars stacks the parts of each slot: [class, number].
export function Bars({slots, label}) {
  const most = nice(Math.max(1, ...slots.map((s) => s.parts.reduce((n, [, v]) => n + v, 0))));
  const wide = (width - left) / slots.length, tall = height - top - bottom;
  const named = Math.ceil(slots.length / 8);
  const name = (at) => (slots.length > 24 ? at.toLocaleDateString(undefined, {month: 'short', day: 'numeric'}) : at.toLocaleTimeString(undefined, {hour: '2-digit', minute: '2-digit'}));
  return html`<svg class="chart" viewBox=${`0 0 ${width} ${height}`} role="img" aria-label=${label}>
    ${[0, .5, 1].map((k) => html`<line x1=${left} x2=${width} y1=${top + tall * (1 - k)} y2=${top + tall * (1 - k)}/><text x=${left - 6} y=${top + tall * (1 - k) + 4} text-anchor="end">${most * k}</text>`)}
    ${slots.map((s, i) => {
      let sum = 0;
      return html`<g><title>${s.at.toLocaleString()}: ${s.title}</title>${s.parts.map(([kind, v]) => {
        sum += v;
        return html`<rect class=${kind} x=${left + i * wide + 1} width=${Math.max(1, wide - 2)} y=${top + tall * (1 - sum / most)} height=${(tall * v) / most}/>`;
      })}</g>`;
    })}
    ${slots.map((s, i) => i % named === 0 && html`<text x=${left + (i + .5) * wide} y=${height - 6} text-anchor="middle">${name(s.at)}</text>`)}</svg>`;
}
