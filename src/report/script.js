// Draws the report from the JSON in #data. Texts reach the page as text nodes only. When everything is drawn, data-rendered of the root element
// names the kind of page; data-failed holds the message if something broke.
'use strict';
(() => {
    const root = document.documentElement;
    window.addEventListener('error', event => {
        root.dataset.failed = event.message;
    });
    const data = JSON.parse(document.getElementById('data').textContent);
    const page = document.getElementById('page');

    // Numbers

    const isNumber = x => typeof x === 'number' && Number.isFinite(x);
    const superscript = n =>
        String(n).replace(/[0-9-]/g, c => '\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u207b'['0123456789-'.indexOf(c)]);
    const space = '\u202f';
    // n significant digits, as a power of ten where zeros would be all there is to read.
    const digits = (x, n) => {
        const rounded = Number(x.toPrecision(n));
        const exponent = rounded === 0 ? 0 : Math.floor(Math.log10(Math.abs(rounded)) + 1e-12);
        const text =
            exponent < -3 || exponent > 5 ? `${Number((rounded / 10 ** exponent).toPrecision(n))}\u00b710${superscript(exponent)}` : String(rounded);
        return text.replace('-', '\u2212');
    };
    const number = (x, unit = '', n = 3) => isNumber(x) ? digits(x, n) + (unit && space + unit) : '-';
    const prefixes = ['z', 'a', 'f', 'p', 'n', '\u00b5', 'm', '', 'k', 'M', 'G', 'T', 'P'];
    // Three digits and an SI prefix; a number that rounds up to 1000 belongs to the next prefix.
    const engineering = (x, unit, n = 3) => {
        if (!isNumber(x)) return '-';
        if (x === 0) return '0' + space + unit;
        const rounded = Number(x.toPrecision(n));
        const group = Math.min(5, Math.max(-7, Math.floor(Math.log10(Math.abs(rounded)) / 3 + 1e-12)));
        return digits(rounded / 10 ** (3 * group), n) + space + prefixes[group + 7] + unit;
    };
    const count = (n, noun) => `${n ?? '-'} ${noun}${n === 1 ? '' : 's'}`;
    const degrees = radians => isNumber(radians) ? radians * 180 / Math.PI : null;
    const at = (json, path) => path.split('.').reduce((value, key) => value === null || value === undefined ? null : value[key], json) ?? null;

    // Elements

    const element = (tag, className, ...children) => {
        const node = document.createElement(tag);
        if (className) node.className = className;
        node.append(...children.map(child => child instanceof Node ? child : String(child)));
        return node;
    };
    const add = (parent, tag, className, ...children) => parent.appendChild(element(tag, className, ...children));
    const table = (className, heads, rows) => {
        const body = element('tbody', '');
        for (const row of rows) body.append(element('tr', '', ...row));
        const head = element('thead', '', element('tr', 'columns', ...heads));
        return element('div', 'scroll', element('table', className, head, body));
    };
    const facts = lists => {
        const box = element('div', 'facts');
        for (const list of lists) {
            const dl = add(box, 'dl', '');
            for (const [name, value] of list) dl.append(element('dt', '', name), element('dd', '', value));
        }
        return box;
    };

    // Charts

    const ink = '#1b1f24';
    const soft = '#5b6570';
    const rule = '#e3e7eb';
    // Okabe and Ito's palette without its yellow, which white paper swallows: told apart by colour-blind readers.
    const palette = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#000000', '#e69f00', '#56b4e9'];
    const markers = ['circle', 'rect', 'triangle', 'rectRot', 'star', 'crossRot', 'cross'];
    const dashes = {ngspice: [], phase: [7, 4], exact: [2, 3]};
    const otherDash = [9, 3, 2, 3];

    Chart.defaults.animation = false;
    Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
    Chart.defaults.font.size = 12;
    Chart.defaults.color = soft;
    Chart.defaults.maintainAspectRatio = false;
    Chart.defaults.plugins.legend.display = false;

    // Ticks of a logarithmic axis: decades, with 2 and 5 where there are few of them, every n-th where there are many.
    const decades = (low, high, most) => {
        const first = Math.ceil(Math.log10(low) - 1e-9);
        const last = Math.floor(Math.log10(high) + 1e-9);
        const span = Math.log10(high / low);
        const ticks = [];
        const step = Math.max(1, Math.ceil((last - first + 1) / most));
        const between = span <= 1.2 ? [1, 1.5, 2, 3, 5, 7] : span <= 3.2 ? [1, 2, 5] : [1];
        for (let k = first - 1; k <= last; ++k)
            for (const m of between) {
                const value = m * 10 ** k;
                if ((step === 1 || (k - first) % step === 0) && value >= low * 0.999 && value <= high * 1.001) ticks.push({value});
            }
        return ticks;
    };
    const logAxis = (title, low, high, format, most = 9) => ({
        type: 'logarithmic',
        min: low,
        max: high,
        title: {display: true, text: title, color: ink},
        grid: {color: rule, borderColor: soft},
        afterBuildTicks: axis => {
            axis.ticks = decades(low, high, most);
        },
        ticks: {callback: format, maxRotation: 0, autoSkip: true, autoSkipPadding: 6}
    });
    const wholeRange = (values, margin) => {
        const positive = values.filter(v => isNumber(v) && v > 0);
        return positive.length ? [Math.min(...positive) / margin, Math.max(...positive) * margin] : [0.1, 10];
    };
    const plain = value => {
        const exponent = Math.floor(Math.log10(value) + 1e-9);
        if (exponent > -4 && exponent < 4) return digits(value, 2);
        const mantissa = digits(value / 10 ** exponent, 2);
        return (mantissa === '1' ? '' : mantissa + '\u00b7') + '10' + superscript(exponent);
    };

    // Draws texts {x, y, text, align, color} given in data coordinates, with a white edge so that lines do not cut them.
    const texts = list => ({
        id: 'texts',
        afterDatasetsDraw: chart => {
            const {ctx, scales} = chart;
            ctx.save();
            ctx.font = '12px ' + Chart.defaults.font.family;
            for (const t of list) {
                ctx.textAlign = t.align ?? 'left';
                ctx.textBaseline = 'middle';
                const x = scales.x.getPixelForValue(t.x) + (t.dx ?? 0);
                const y = (t.y === undefined ? chart.chartArea.top : scales.y.getPixelForValue(t.y)) + (t.dy ?? 0);
                ctx.lineWidth = 4;
                ctx.strokeStyle = '#fff';
                ctx.strokeText(t.text, x, y);
                ctx.fillStyle = t.color ?? soft;
                ctx.fillText(t.text, x, y);
            }
            ctx.restore();
        }
    });
    const draw = (parent, height, configuration) => {
        const box = add(parent, 'div', 'chart');
        box.style.height = height + 'px';
        const canvas = add(box, 'canvas', '');
        canvas.setAttribute('role', 'img');
        return new Chart(canvas, configuration);
    };
    const line = (points, color, more = {}) =>
        ({data: points, showLine: true, borderColor: color, backgroundColor: color, borderWidth: 2, pointRadius: 0, pointHitRadius: 4, ...more});

    // Results

    const dimensionless = row => at(row.result, 'substrate.dimensionless') === true;
    const isPhysical = row => at(row.result, 'substrate.dimensionless') === false;  // a row that failed before its trial is neither
    const cellText = row => {
        const s = row.result.substrate ?? {};
        if (!isPhysical(row)) return dimensionless(row) ? 'dimensionless' : 'no result';
        return `${s.cell ?? '-'}, ${s.corner ?? '-'}, injection ${number(s.injection)}`;
    };
    const engineOf = row => at(row.result, 'engine.kind') ?? '-';
    const toleranceOf = rows => rows.map(row => at(row.result, 'settling.tolerance_deg')).find(isNumber) ?? null;
    const oscillators = row => at(row.result, 'layer.free_oscillators');
    const timeText = (row, seconds) => dimensionless(row) ? number(seconds, '/W') : engineering(seconds, 's');
    const frequencyOf = row => at(row.result, 'substrate.frequency_at_step_hz');

    // Colour and marker tell substrates apart, the dash the engine. Rows that would look alike get colours of their own.
    const style = rows => {
        const keys = [];
        const seen = new Set();
        for (const row of rows) {
            let key = JSON.stringify([
                at(row.result, 'substrate.kind'), at(row.result, 'substrate.corner'), at(row.result, 'substrate.cell'),
                at(row.result, 'substrate.injection')
            ]);
            if (seen.has(key + engineOf(row))) key += row.name;
            seen.add(key + engineOf(row));
            if (!keys.includes(key)) keys.push(key);
            const k = keys.indexOf(key);
            row.color = palette[k % palette.length];
            row.marker = markers[Math.floor(k / palette.length + k) % markers.length];
            row.dash = dashes[engineOf(row)] ?? otherDash;
        }
    };
    const swatch = (color, dash, marker) => {
        const canvas = element('canvas', 'swatch');
        const ratio = window.devicePixelRatio || 1;
        canvas.width = 26 * ratio;
        canvas.height = 12 * ratio;
        const ctx = canvas.getContext('2d');
        ctx.scale(ratio, ratio);
        ctx.strokeStyle = ctx.fillStyle = color;
        ctx.lineWidth = 2;
        ctx.setLineDash(dash.map(d => d * 0.8));
        ctx.beginPath();
        ctx.moveTo(0, 6);
        ctx.lineTo(26, 6);
        ctx.stroke();
        ctx.setLineDash([]);
        ctx.fillStyle = dash.length ? '#fff' : color;  // hollow where the line is dashed, as in the charts
        if (marker) Chart.helpers.drawPoint(ctx, {pointStyle: marker, radius: 4, borderWidth: 1.5}, 13, 6);
        return canvas;
    };
    const rowLegend = (parent, rows) => {
        const legend = add(parent, 'div', 'legend');
        for (const row of rows) add(legend, 'span', '', swatch(row.color, row.dash, row.marker), row.name);
    };

    const verdict = rows => {
        const physical = rows.filter(isPhysical);
        const rms = row => at(row.result, 'error_at_read.phase_rms_deg');
        const energy = row => at(row.result, 'energy.per_query_j.mean');
        const latency = row => at(row.result, 'settling.latency_s');
        const circuits = physical.filter(row => engineOf(row) === 'ngspice');
        const ranked = circuits.length ? circuits : physical;  // a model's figures do not compete with simulated circuits
        const least = value => ranked.filter(row => isNumber(value(row))).sort((a, b) => value(a) - value(b))[0];
        if (rows.length === 1) {
            const row = rows[0];
            const unsettled = at(row.result, 'settling.unsettled');
            const state = unsettled === 0 ? `all ${oscillators(row)} oscillators settled` :
                                            `${unsettled ?? '-'} of ${oscillators(row) ?? '-'} oscillators did not settle`;
            const cost = isNumber(energy(row)) ? ` and costs ${engineering(energy(row), 'J')} per query` : '';
            if (!isNumber(rms(row))) return `There is no read time: ${state}.`;
            return `Read ${timeText(row, at(row.result, 'settling.read_time_s'))} after the start, the array is ${number(rms(row), 'deg')} rms ` +
                `(${number(at(row.result, 'error_at_read.phase_max_deg'), 'deg')} at worst) from the digital reference${cost}; ${state}.`;
        }
        const parts = [];
        const cheap = least(energy);
        const exact = least(rms);
        const fast = least(latency);
        const caveat = cheap && at(cheap.result, 'energy.caveat');
        if (cheap)
            parts.push(`${cheap.name} needs the least energy, ${engineering(energy(cheap), 'J')} per query at ${number(rms(cheap), 'deg')} rms` +
                       (caveat ? ` (${caveat})` : ''));
        if (exact) parts.push(`${exact.name} has the smallest error at the read time, ${number(rms(exact), 'deg')} rms`);
        if (fast) parts.push(`${fast.name} is read first, after ${engineering(latency(fast), 's')}`);
        const broken = rows.filter(row => row.result.status !== 'ok').length;
        const state = broken ? ` (${broken} not complete)` : '';
        const among = circuits.length && circuits.length < rows.length ? ', of the circuits' : '';
        return `${rows.length} results${state}${among}: ${parts.join('; ') || 'none of them has a figure in joules or seconds'}.`;
    };

    const columns = () => {
        const value = (path, format) => row => format(at(row.result, path), row);
        const degree = x => number(x, '\u00b0');
        const one = x => number(x);
        const time = (x, row) => timeText(row, x);
        const periods = x => number(x);
        return [
            {
                group: 'Phase error, rms',
                columns: [
                    ['at equilib\u00adrium', row => degree(at(row.result, 'error.phase_rms_deg'))],
                    ['slope removed too\u00a0\u00b9', row => degree(at(row.result, 'error_offset_slope.phase_rms_deg'))],
                    ['at the read time', row => degree(at(row.result, 'error_at_read.phase_rms_deg'))]
                ]
            },
            {
                group: 'Attention error, max',
                columns: [
                    ['at equilib\u00adrium', value('error.attention_max_abs', one)],
                    ['at the read time', value('error_at_read.attention_max_abs', one)]
                ]
            },
            {
                group: 'Attention error, rms',
                columns:
                    [['at equilib\u00adrium', value('error.attention_rms', one)], ['at the read time', value('error_at_read.attention_rms', one)]]
            },
            {group: 'Top-1', columns: [['agree\u00adment', value('error.top1_agreement', x => isNumber(x) ? number(100 * x, '%') : '-')]]},
            {group: 'Settling time', columns: [['median', value('settling.time_s.median', time)], ['p95', value('settling.time_s.p95', time)]]},
            {group: 'in periods', columns: [['median', value('settling.periods.median', periods)], ['p95', value('settling.periods.p95', periods)]]},
            {group: 'Latency', columns: [['start, settling, reader', value('settling.latency_s', time)]]},
            {group: 'Energy', columns: [['per query, mean', value('energy.per_query_j.mean', x => engineering(x, 'J'))]]},
            {group: 'Fre\u00adquency', columns: [['free-running', value('substrate.frequency_hz', x => engineering(x, 'Hz'))]]},
            {group: 'Power', columns: [['per oscil\u00adlator', value('substrate.power_per_oscillator_w', x => engineering(x, 'W'))]]}, {
                group: 'Unset\u00adtled',
                columns: [['of all', row => `${at(row.result, 'settling.unsettled') ?? '-'}\u202f/\u202f${oscillators(row) ?? '-'}`]]
            },
            {group: 'Wall time', columns: [['of the simu\u00adlation', value('cost.wall_s', x => engineering(x, 's'))]]}
        ];
    };

    const resultsTable = rows => {
        const groups = columns();
        const first = element('tr', 'groups', element('th', ''));
        const second = element('tr', 'columns', element('th', 'text', 'Result'));
        for (const group of groups) {
            const th = element('th', group.columns.length > 1 ? 'group first' : 'first', group.group);
            th.colSpan = group.columns.length;
            first.append(th);
            group.columns.forEach(([name], k) => second.append(element('th', k === 0 ? 'first' : '', name)));
        }
        const body = element('tbody', '');
        for (const row of rows) {
            const head =
                element('th', '', swatch(row.color, row.dash, row.marker), row.name, element('div', 'small', `${engineOf(row)}: ${cellText(row)}`));
            head.scope = 'row';
            if (row.result.status !== 'ok') add(head, 'div', 'status', row.result.status ?? 'failed');
            const tr = add(body, 'tr', '', head);
            for (const group of groups) group.columns.forEach(([, format], k) => tr.append(element('td', k === 0 ? 'first' : '', format(row))));
        }
        return element('div', 'scroll', element('table', 'results', element('thead', '', first, second), body));
    };

    // What every row shares and what each chose for itself.
    const comparisonNotes = (section, all) => {
        const rows = all.filter(row => row.result.layer);
        if (rows.length < 2) return;
        const same = path => rows.every(row => JSON.stringify(at(row, path)) === JSON.stringify(at(rows[0], path)));
        const text = value => typeof value === 'string' ? value : JSON.stringify(value);
        const layer = ['mechanism', 'sequences', 'heads', 'tokens', 'd_osc'].every(key => same('result.layer.' + key));
        const l = rows[0].result.layer ?? {};
        const held = [
            [
                layer,
                `the layer (${l.mechanism ?? '-'}, ${count((l.sequences ?? []).length, 'sequence')}, ${count(l.heads, 'head')}, ${
                    count(l.tokens, 'token')})`
            ],
            [same('charts.start') && same('result.provenance.seed'), `the start phases (seed ${text(at(rows[0], 'result.provenance.seed'))})`],
            [same('result.settling.tolerance_deg'), `the tolerance (${number(toleranceOf(rows), 'deg')})`],
            [same('charts.readout.read_time'), `the read rule (${text(at(rows[0], 'charts.readout.read_time'))})`]
        ];
        const equal = held.filter(([yes]) => yes).map(([, name]) => name);
        const different = held.filter(([yes]) => !yes).map(([, name]) => name.replace(/ \(.*/, ''));
        const range = (path, format) => {
            const values = rows.map(row => at(row.result, path)).filter(isNumber);
            if (!values.length) return '-';
            const low = format(Math.min(...values));
            const high = format(Math.max(...values));
            return low === high ? low : `${low} to ${high}`;
        };
        add(section, 'p', 'note',
            `Held equal: ${equal.join(', ') || 'nothing'}.` +
                (different.length ? ` Not equal here: ${different.join(', ')}; compare with care.` : '') +
                ` Free, each substrate has its own: frequency (${range('substrate.frequency_hz', x => engineering(x, 'Hz'))}), ` +
                `injection (${range('substrate.injection', x => number(x))}), supply.`);
    };

    const tableSection = (rows, notes) => {
        const section = add(page, 'section', '');
        add(section, 'h2', '', rows.length > 1 ? 'Comparison' : 'Result');
        section.append(resultsTable(rows));
        if (rows.length > 1) comparisonNotes(section, rows);
        for (const note of notes) add(section, 'p', 'note', note);
        for (const row of rows)
            if (at(row.result, 'substrate.validity.inside') === false)
                add(section, 'p', 'note', `${row.name}: ${at(row.result, 'substrate.validity.outside')}.`);
        const caveats = new Map();
        for (const row of rows) {
            const caveat = at(row.result, 'energy.caveat');
            if (caveat) caveats.set(caveat, [...(caveats.get(caveat) ?? []), row.name]);
        }
        for (const [caveat, names] of caveats) add(section, 'p', 'note', `Energy of ${names.join(' and ')}: ${caveat}.`);
        const corrections = new Set(rows.map(row => at(row.charts, 'readout.correction')));
        const correction = corrections.has('offset_slope') ? 'with the correction each row names below' :
                                                             'with the cell\'s constant offset removed, which hardware can do';
        add(section, 'p', 'note',
            `Phase errors are angles to the digital reference of the same mechanism over settled oscillators, ${correction}. ` +
                'Attention errors are in attention weight; each row of weights sums to 1. ' +
                '\u00b9 Model agreement: removing the slope in the drive needs the digital answer, which hardware does not have.');
        if (rows.some(dimensionless))
            add(section, 'p', 'note',
                'A dimensionless oscillator has no seconds, joules or hertz: its times are in 1/W, the inverse of a unit coupling weight' +
                    (rows.every(dimensionless) ? '.' : ', and the charts, which are in physical units, leave it out.'));
    };

    const energySection = (parent, rows) => {
        const box = add(parent, 'div', '');
        const physical = rows.filter(isPhysical);
        const shown = physical.length ? physical : rows;
        const energetic = physical.length > 0;
        add(box, 'h2', '', energetic ? 'Energy against error' : 'Error against time');
        add(box, 'p', 'note',
            `Each line reads the whole array earlier or later, from 2 % of its read time; the marker is the actual read time` +
                (energetic ? '. Down and to the left is better.' : '.'));
        const datasets = [];
        const labels = [];
        const xs = [];
        const ys = [];
        for (const row of shown) {
            const curve = at(row.charts, 'error_over_time') ?? {};
            const x = (energetic ? curve.energy_per_query_j : curve.time_s) ?? [];
            const points = x.map((v, k) => ({x: v, y: curve.phase_rms_deg[k]})).filter(p => isNumber(p.x) && isNumber(p.y) && p.x > 0 && p.y > 0);
            if (!points.length) continue;
            xs.push(...points.map(p => p.x));
            ys.push(...points.map(p => p.y));
            datasets.push(line(points, row.color, {borderDash: row.dash, label: row.name}));
            datasets.push({
                data: [points[points.length - 1]],
                label: row.name,
                pointStyle: row.marker,
                pointRadius: 6,
                borderColor: row.color,
                borderWidth: 2,
                backgroundColor: row.dash.length ? '#fff' : row.color
            });
        }
        if (!datasets.length) {
            add(box, 'p', '', 'No oscillator settled: there is no read time and no curve.');
            return;
        }
        const digital = energetic ? at(shown[0].result, 'energy.digital_softmax_per_query_j') ?? {} : {};
        const figures = [['softmax, FP32', digital.fp32], ['softmax, INT8', digital.int8]].filter(([, v]) => isNumber(v) && v > 0);
        xs.push(...figures.map(([, v]) => v));
        const [left, right] = wholeRange(xs, 1.5);
        const [low, top] = wholeRange(ys, 1.5);
        const high = figures.length ? top * (top / low) ** 0.12 : top;  // room for the labels of the digital figures
        figures.sort((a, b) => a[1] - b[1]);
        figures.forEach(([name, v], k) => {
            datasets.push(line([{x: v, y: low}, {x: v, y: high}], soft, {borderWidth: 1, borderDash: [1, 3], label: `${name} (digital, cited)`}));
            const toTheRight = Math.log(v / left) < 0.3 * Math.log(right / left);
            labels.push(
                {x: v, text: `${name} ${engineering(v, 'J')}`, dx: toTheRight ? 5 : -5, dy: 10 + 16 * k, align: toTheRight ? 'left' : 'right'});
        });
        rowLegend(box, shown);
        draw(box, 440, {
            type: 'scatter',
            data: {datasets},
            plugins: [texts(labels)],
            options: {
                scales: {
                    x: energetic ? logAxis('energy per query, mean [J]', left, right, v => engineering(v, 'J', 2)) :
                                   logAxis('read time [1/W]', left, right, plain),
                    y: logAxis('phase error, rms [deg]', low, high, plain)
                },
                plugins: {
                    tooltip: {
                        callbacks: {
                            label: c => `${c.dataset.label}: ${energetic ? engineering(c.parsed.x, 'J') : number(c.parsed.x, '/W')}, ${
                                number(c.parsed.y, 'deg')}`
                        }
                    }
                }
            }
        });
        if (figures.length)
            add(box, 'p', 'note', 'Dotted: the softmax stage of the same layer done digitally (cited energies per multiply-add), per query.');
    };

    const settlingSection = (parent, rows) => {
        const box = add(parent, 'div', '');
        add(box, 'h2', '', 'Settling time');
        const tolerance = toleranceOf(rows);
        add(box, 'p', 'note',
            `Until an oscillator stays within ${number(tolerance, 'deg')} of its own final phase: median, 95 % and slowest of those that settled.`);
        const physical = rows.filter(isPhysical);
        const key = add(box, 'div', 'legend');
        for (const [marker, name] of [['circle', 'median'], ['rect', 'p95'], ['triangle', 'slowest']])
            add(key, 'span', '', swatch(soft, [], marker), name);
        const plot = (shown, path, title, format, unitFormat) => {
            const names = shown.map(row => row.name);
            const datasets = [];
            const xs = [];
            for (const row of shown) {
                const spread = at(row.result, path) ?? {};
                const points = [spread.median, spread.p95, spread.max].map(v => ({x: isNumber(v) && v > 0 ? v : NaN, y: row.name}));
                xs.push(...points.map(p => p.x));
                datasets.push({
                    ...line(points, row.color, {borderDash: row.dash, label: row.name}),
                    pointRadius: 5.5,
                    pointStyle: ['circle', 'rect', 'triangle'],
                    pointBackgroundColor: row.dash.length ? '#fff' : row.color,
                    pointBorderWidth: 2
                });
            }
            if (!xs.some(isNumber)) {
                add(box, 'p', 'note', 'No oscillator settled.');
                return false;
            }
            const [left, right] = wholeRange(xs, 1.6);
            draw(box, 74 + 22 * shown.length, {
                type: 'scatter',
                data: {datasets},
                options: {
                    scales: {
                        x: logAxis(title, left, right, format),
                        y: {
                            type: 'category',
                            labels: names,
                            offset: true,
                            grid: {color: rule, borderColor: soft},
                            ticks: {color: ink, autoSkip: false}
                        }
                    },
                    plugins: {
                        tooltip:
                            {callbacks: {label: c => `${c.dataset.label}, ${['median', 'p95', 'slowest'][c.dataIndex]}: ${unitFormat(c.parsed.x)}`}}
                    }
                }
            });
            return true;
        };
        if (physical.length) {
            if (plot(physical, 'settling.time_s', 'settling time [s]', v => engineering(v, 's', 2), v => engineering(v, 's')))
                plot(physical, 'settling.periods', 'settling time [periods]', plain, v => number(v, 'periods'));
        } else {
            plot(rows, 'settling.time_s', 'settling time [1/W]', plain, v => number(v, '/W'));
        }
        return box;
    };

    const trajectorySection = (parent, rows) => {
        const physical = rows.filter(isPhysical);
        const shown = physical.length ? physical : rows;
        const section = add(parent, 'section', '');
        add(section, 'h2', '', 'Settling trajectories');
        const tolerance = toleranceOf(rows);
        add(section, 'p', 'note',
            'Angle to the oscillator\'s own final phase, of the slowest, the median and the fastest oscillator that settled; r is its drive. ' +
                `Thin line: the tolerance, ${number(tolerance, 'deg')}.` + (shown.length > 1 ? ' All panels have the same axes.' : ''));
        const key = [['slowest', ink, []], ['median', '#59636e', [7, 3]], ['fastest', '#59636e', [2, 2]]];
        const curvesOf = row => at(row.charts, 'settling_curves') ?? [];
        const scaleOf = row => dimensionless(row) ? 1 : frequencyOf(row);
        const earliest = 0.5;  // periods: a phase is the mean over one
        const [first, last] = wholeRange(
            shown.flatMap(row => curvesOf(row).flatMap(c => c.time_s.filter((_, k) => c.angle_deg[k] > 0.01).map(t => t * scaleOf(row)))
                                     .filter(t => dimensionless(row) || t >= earliest)), 1.1);
        const low = 0.01;
        const panels = add(section, 'div', 'panels');
        for (const row of shown) {
            const panel = add(panels, 'div', 'panel');
            add(panel, 'h3', '', swatch(row.color, row.dash, row.marker), row.name);
            const curves = curvesOf(row);
            if (!curves.length) {
                add(panel, 'p', 'note', 'No oscillator settled.');
                continue;
            }
            const names = curves.length === 3 ? key : [key[0], key[2]].slice(0, curves.length);
            const legend = add(panel, 'div', 'legend');
            const datasets = curves.map((curve, k) => {
                const [name, color, dash] = names[k];
                add(legend, 'span', '', swatch(color, dash),
                    `${name}: ${timeText(row, curve.settling_time_s)}, r ${number(curve.drive)}, ` +
                        `sequence ${curve.sequence} head ${curve.head} token ${curve.token}`);
                return line(
                    curve.time_s.map((t, i) => ({x: t * scaleOf(row), y: curve.angle_deg[i]})).filter(p => p.y > low / 10), color,
                    {borderDash: dash, label: name});
            });
            datasets.push(line([{x: first, y: tolerance}, {x: last, y: tolerance}], soft, {borderWidth: 1, label: 'tolerance'}));
            draw(panel, 230, {
                type: 'scatter',
                data: {datasets},
                options: {
                    scales: {
                        x: logAxis(dimensionless(row) ? 'time [1/W]' : 'time [periods]', first, last, plain, 6),
                        y: logAxis('angle [deg]', low, 200, plain, 6)
                    },
                    plugins: {
                        tooltip: {
                            callbacks: {
                                label: c =>
                                    `${c.dataset.label}: ${number(c.parsed.x, dimensionless(row) ? '/W' : 'periods')}, ${number(c.parsed.y, 'deg')}`
                            }
                        }
                    }
                }
            });
        }
    };

    // Heat maps

    const mix = (stops, u) => {
        const position = Math.min(1, Math.max(0, u)) * (stops.length - 1);
        const k = Math.min(stops.length - 2, Math.floor(position));
        const w = position - k;
        return `rgb(${stops[k].map((c, i) => Math.round(c + w * (stops[k + 1][i] - c))).join(',')})`;
    };
    const sequential = [[255, 255, 255], [198, 219, 239], [107, 174, 214], [33, 113, 181], [8, 48, 107]];
    const diverging = [[5, 80, 140], [103, 169, 207], [247, 247, 247], [239, 138, 98], [165, 20, 40]];
    const noReading = '#b9b9b9';

    const heatMap = (parent, title, rows, size, low, high, stops, tell) => {
        const box = add(parent, 'div', '');
        add(box, 'h3', '', title);
        const n = rows.length;
        const cell = Math.max(1, Math.floor(size / n));
        const margin = 40;
        const bar = 22;
        const width = margin + n * cell + 8;
        const height = 18 + n * cell + 46 + bar;
        const canvas = add(box, 'canvas', '');
        const ratio = window.devicePixelRatio || 1;
        canvas.width = width * ratio;
        canvas.height = height * ratio;
        canvas.style.width = width + 'px';
        canvas.style.height = height + 'px';
        canvas.setAttribute('role', 'img');
        const ctx = canvas.getContext('2d');
        ctx.scale(ratio, ratio);
        ctx.font = '11px ' + Chart.defaults.font.family;
        const span = high - low || 1;
        rows.forEach((row, i) => {
            for (let j = 0; j < n; ++j) {
                const v = row ? row[j] : null;
                ctx.fillStyle = isNumber(v) ? mix(stops, (v - low) / span) : noReading;
                ctx.fillRect(margin + j * cell, 18 + i * cell, cell, cell);
            }
        });
        ctx.strokeStyle = soft;
        ctx.strokeRect(margin - 0.5, 17.5, n * cell + 1, n * cell + 1);
        ctx.fillStyle = soft;
        const step = [1, 2, 5, 10, 20, 50, 100, 200].find(s => s * cell >= 18) ?? 500;
        ctx.textAlign = 'center';
        ctx.textBaseline = 'bottom';
        for (let j = 0; j < n; j += step) ctx.fillText(j, margin + (j + 0.5) * cell, 15);
        ctx.textAlign = 'right';
        ctx.textBaseline = 'middle';
        for (let i = 0; i < n; i += step) ctx.fillText(i, margin - 5, 18 + (i + 0.5) * cell);
        ctx.save();
        ctx.translate(6, 18 + n * cell / 2);
        ctx.rotate(-Math.PI / 2);
        ctx.textAlign = 'center';
        ctx.fillText('query token', 0, 0);
        ctx.restore();
        const y = 18 + n * cell + 12;
        for (let k = 0; k < n * cell; ++k) {
            ctx.fillStyle = mix(stops, k / (n * cell - 1));
            ctx.fillRect(margin + k, y, 1, 12);
        }
        ctx.strokeRect(margin - 0.5, y - 0.5, n * cell + 1, 13);
        ctx.fillStyle = soft;
        ctx.textBaseline = 'top';
        ctx.textAlign = 'left';
        ctx.fillText(digits(low, 3), margin, y + 17);
        ctx.textAlign = 'right';
        ctx.fillText(digits(high, 3), margin + n * cell, y + 17);
        ctx.textAlign = 'center';
        ctx.fillText('weight', margin + n * cell / 2, y + 17);
        ctx.fillText('key token across', margin + n * cell / 2, y + 32);
        canvas.addEventListener('mousemove', event => {
            const i = Math.floor((event.offsetY - 18) / cell);
            const j = Math.floor((event.offsetX - margin) / cell);
            tell(i >= 0 && i < n && j >= 0 && j < n ? [i, j] : null);
        });
    };

    const attentionMaps = (parent, row) => {
        const attention = at(row.charts, 'attention') ?? {total: 0, shown: []};
        add(parent, 'h3', '', 'Attention at equilibrium');
        if (!attention.shown.length) {
            add(parent, 'p', 'note',
                attention.total > 0 ? 'The matrices of this layer are too large for this page (more than 200,000 entries): arrays.h5 has them.' :
                                      'No matrices.');
            return;
        }
        const controls = add(parent, 'div', 'controls');
        const select = element('select', '');
        attention.shown.forEach((panel, k) => {
            const option = add(select, 'option', '', `sequence ${panel.sequence}, head ${panel.head} (largest difference ${number(panel.max_abs)})`);
            option.value = k;
        });
        add(controls, 'label', '', 'Head ', select);
        if (attention.shown.length < attention.total)
            add(controls, 'span', 'note',
                `${attention.shown.length} of ${attention.total} matrices, those with the largest difference, are in this page; arrays.h5 has all.`);
        const maps = add(parent, 'div', 'maps');
        const readout = add(parent, 'p', 'note', '');
        const show = () => {
            const panel = attention.shown[select.value];
            maps.replaceChildren();
            const difference = panel.difference;
            const simulated = panel.reference.map((r, i) => r && difference[i] ? r.map((v, j) => v + difference[i][j]) : null);
            const values = [...simulated, ...panel.reference].filter(Boolean).flat();
            const high = values.reduce((a, b) => Math.max(a, b), 1e-12);
            const off = difference.filter(Boolean).flat().reduce((a, b) => Math.max(a, Math.abs(b)), 1e-12);
            const tell = where => {
                if (!where) return;
                const [i, j] = where;
                const value = rows => rows[i] ? digits(rows[i][j], 4) : 'none';
                readout.textContent =
                    `query ${i}, key ${j}: reference ${value(panel.reference)}, simulated ${value(simulated)}, difference ${value(difference)}`;
            };
            const size = 330;
            heatMap(maps, 'Digital reference', panel.reference, size, 0, high, sequential, tell);
            heatMap(maps, 'Simulated', simulated, size, 0, high, sequential, tell);
            heatMap(maps, 'Difference (own scale)', difference, size, -off, off, diverging, tell);
            readout.textContent =
                `Largest difference ${number(off)}, ${
                    number(
                        100 * off / high,
                        '%')} of the largest weight. Grey rows have no phase (padding, or a failure); those of unsettled oscillators ` +
                'show the last one. Point at a cell for its numbers.';
        };
        select.addEventListener('change', show);
        show();
    };

    const worstTable = (parent, row) => {
        const worst = at(row.charts, 'worst_tokens') ?? [];
        add(parent, 'h3', '', 'Worst tokens at the read time');
        if (!worst.length) {
            add(parent, 'p', 'note', 'No token was read.');
            return;
        }
        const head = name => element('th', '', name);
        const cell = text => element('td', '', text);
        parent.append(table(
            '',
            [
                ...['sequence', 'head', 'token', 'drive r', 'phase error at the read time', 'at equilibrium', 'attention error at the read time',
                    'settling time', 'energy']
                    .map(head),
                element('th', 'text', 'verdict')
            ],
            worst.map(
                t =>
                    [cell(t.sequence), cell(t.head), cell(t.token), cell(number(t.drive)), cell(number(t.phase_error_at_read_deg, 'deg')),
                     cell(number(t.phase_error_deg, 'deg')), cell(number(t.attention_error_at_read)), cell(timeText(row, t.settling_time_s)),
                     cell(dimensionless(row) ? '-' : engineering(t.energy_j, 'J')), element('td', 'text', t.verdict)])));
        add(parent, 'p', 'note',
            'Drive r is the length of the summed drive over the sum of the lengths: below 0.001 a token is degenerate and left out here.');
    };

    const failuresTable = (parent, row) => {
        const failures = row.result.failures ?? [];
        add(parent, 'h3', '', 'Failures');
        if (!failures.length) {
            add(parent, 'p', 'note', 'None: every oscillator settled.');
            return;
        }
        const most = 50;
        const text = value => element('td', 'text', value);
        const where = f => isNumber(f.token) ? `sequence ${f.sequence} head ${f.head} token ${f.token}` :
            isNumber(f.chunk) ? `netlist ${f.chunk}, ${f.oscillators} oscillators` :
                                '-';
        parent.append(table(
            '', ['where', 'what', 'why'].map(name => element('th', 'text', name)),
            failures.slice(0, most).map(f => [text(where(f)), text(f.category), element('td', 'wide', f.message ?? '')])));
        const more = Math.max(0, failures.length - most) + (row.result.failures_not_listed ?? 0);
        if (more) add(parent, 'p', 'note', `${more} more.`);
    };

    const retriesTable = (parent, row) => {
        const retries = row.result.retries ?? [];
        if (!retries.length) return;
        const most = 50;
        const text = value => element('td', 'text', value);
        add(parent, 'h3', '', 'Netlists tried again');
        parent.append(table(
            '', ['where', 'what', 'why', 'change', 'worked'].map(name => element('th', 'text', name)),
            retries.slice(0, most).map(r =>
                [text(`netlist ${r.chunk}`), text(r.category), element('td', 'wide', r.message ?? ''), text(r.change), text(r.ok ? 'yes' : 'no')])));
        if (retries.length > most) add(parent, 'p', 'note', `${retries.length - most} more.`);
    };

    const validityText = v => {
        if (!v) return 'never compared with this cell\'s circuit (entrain characterize does it)';
        if (!v.inside) return `${v.outside}`;
        return `valid here: within 1 deg and 10 % of the circuits it was compared with for drives of ${number(v.min_drive)} to ${number(v.max_drive)}`;
    };

    const factsOf = row => {
        const r = row.result;
        const s = r.substrate ?? {};
        const l = r.layer ?? {};
        const drive = l.drive ?? {};
        const sequences = l.sequences ?? [];
        const layer = [
            ['mechanism', l.mechanism ?? '-'],
            ['sequences', `${sequences.slice(0, 12).join(', ')}${sequences.length > 12 ? ', \u2026' : ''} (${sequences.length})`],
            [
                'shape',
                `${count(l.heads, 'head')}, ${count(l.tokens, 'token')}, d = ${l.d_osc ?? '-'}; ${count(l.free_oscillators, 'free oscillator')}, ${
                    count(l.couplings, 'coupling')}`
            ],
            ['drive r', `min ${number(drive.min)}, p5 ${number(drive.p5)}, median ${number(drive.median)}`],
            ['engine', Object.entries(r.engine ?? {}).map(([k, v]) => `${k} ${typeof v === 'object' ? JSON.stringify(v) : v}`).join(', ')],
            ['readout', Object.entries(at(row.charts, 'readout') ?? {}).map(([k, v]) => `${k} ${v ?? 'auto'}`).join(', ')],
            ['read time, latency', `${timeText(row, at(r, 'settling.read_time_s'))}, ${timeText(row, at(r, 'settling.latency_s'))}`]
        ];
        const cell =
            [['substrate', `${s.kind ?? '-'}${dimensionless(row) ? ' (dimensionless)' : `, cell ${s.cell ?? '-'}, corner ${s.corner ?? '-'}`}`]];
        if (isPhysical(row)) {
            cell.push(
                ['injection', `${number(s.injection)} of ${engineering(s.reference_current_a, 'A')}`],
                ['frequency', `${engineering(s.frequency_hz, 'Hz', 6)} (${engineering(s.frequency_at_step_hz, 'Hz', 6)} at the simulation's step)`],
                ['coupling rate K', engineering(s.coupling_rate_rad_per_s, 'rad/s')],
                [
                    'raw phase error',
                    `${number(degrees(s.offset_rad), 'deg')} at drive 0.25, slope ${number(degrees(s.slope_rad), 'deg')} per unit of drive` +
                        (isNumber(s.calibration_residual_rad) ? `, residual ${number(degrees(s.calibration_residual_rad), 'deg')}` : '')
                ],
                ['power', `${engineering(s.power_per_oscillator_w, 'W')} per oscillator`], ['phase model', validityText(s.validity)]);
            if (isNumber(at(r, 'energy.per_layer_j')))
                cell.push(['energy per layer', `${engineering(at(r, 'energy.per_layer_j'), 'J')} per sequence`], [
                    'energy, gated',
                    `${engineering(at(r, 'energy.per_query_gated_j'), 'J')} per query if each oscillator stopped at its own settling (lower bound)`
                ]);
        }
        return [layer, cell];
    };

    const energyTable = (parent, row) => {
        const entries = at(row.result, 'energy.entries') ?? [];
        if (!entries.length) return;
        add(parent, 'h3', '', 'Energy per query, by part');
        parent.append(table(
            '', [element('th', 'text', 'part'), element('th', '', 'mean'), element('th', 'text', 'origin'), element('th', 'text', 'source')],
            entries.map(
                e =>
                    [element('td', 'text', e.part), element('td', '', engineering(e.joules_per_query, 'J')), element('td', 'text', e.origin),
                     element('td', 'wide', e.source)])));
    };

    const provenance = p => [
        ['version', `${p.version ?? '-'} (git ${p.git ?? '-'})`], ['ngspice', p.ngspice_version ?? '-'], ['seed', p.seed ?? '-'],
        ['configuration sha256', p.config_sha256 ?? '-'], ['cpu', p.cpu ?? '-'], ['started', p.started_utc ?? '-']];

    const detailSection = rows => {
        const section = add(page, 'section', '');
        add(section, 'h2', '', rows.length > 1 ? 'One result in detail' : 'In detail');
        const controls = add(section, 'div', 'controls');
        const select = element('select', '');
        rows.forEach((row, k) => {
            add(select, 'option', '', row.name).value = k;
        });
        if (rows.length > 1) add(controls, 'label', '', 'Result ', select);
        const detail = add(section, 'div', '');
        const show = () => {
            const row = rows[select.value];
            detail.replaceChildren();
            detail.append(facts(factsOf(row)));
            attentionMaps(detail, row);
            worstTable(detail, row);
            energyTable(detail, row);
            failuresTable(detail, row);
            retriesTable(detail, row);
            add(detail, 'h3', '', 'Provenance');
            detail.append(facts([provenance(row.result.provenance ?? {})]));
        };
        select.addEventListener('change', show);
        show();
    };

    const results = () => {
        const rows = data.rows.map(row => ({...row, result: row.result ?? {}}));
        if (!rows.length) {
            add(page, 'p', 'verdict', 'No results.');
            return;
        }
        style(rows);
        const words = add(page, 'p', 'verdict', verdict(rows));
        if (rows.length === 1 && rows[0].result.status !== 'ok') words.dataset.status = rows[0].result.status ?? 'failed';
        tableSection(rows, data.notes ?? []);
        const pair = add(page, 'section', 'pair');
        energySection(pair, rows);
        const settling = settlingSection(pair, rows);
        trajectorySection(rows.length > 1 ? page : settling, rows);
        detailSection(rows);
    };

    // Characterization

    // A series of cosines {order, magnitude, phase_rad} over a turn, as points in degrees.
    const curve = (series, scale) => Array.from({length: 241}, (_, n) => {
        const x = -180 + 1.5 * n;
        return {x, y: series.reduce((sum, h) => sum + h.magnitude * Math.cos(h.order * x * Math.PI / 180 + h.phase_rad), 0) * scale};
    });
    const turnChart = (parent, lines, xTitle, yTitle) => draw(parent, 300, {
        type: 'scatter',
        data: {datasets: lines},
        options: {
            scales: {
                x: {
                    type: 'linear',
                    min: -180,
                    max: 180,
                    ticks: {stepSize: 90},
                    title: {display: true, text: xTitle, color: ink},
                    grid: {color: rule, borderColor: soft}
                },
                y: {title: {display: true, text: yTitle, color: ink}, grid: {color: rule, borderColor: soft}, grace: '5%'}
            },
            plugins: {
                legend: {display: lines.length > 1, labels: {boxHeight: 1, color: ink}},
                tooltip: {callbacks: {label: t => `${t.dataset.label}: ${number(t.parsed.x, 'deg')}, ${number(t.parsed.y, '', 4)}`}}
            }
        }
    });

    const sensitivity = c => {
        const harmonics = at(c, 'ppv.harmonics');
        if (!Array.isArray(harmonics)) {
            if (c.ppv_missing) add(page, 'p', 'note', `Phase sensitivity: not known. ${c.ppv_missing}.`);
            return;
        }
        const pair = add(page, 'section', 'pair');
        const left = add(pair, 'div', '');
        add(left, 'h2', '', 'Phase sensitivity (PPV)');
        add(left, 'p', 'note',
            'How far a small charge into the injection port turns the phase, by the phase at which it comes; from charge impulses on the simulated ' +
                'netlist. Phase 0 is the peak of the fundamental at the read port.');
        const exponent = 3 * Math.floor(Math.log10(Math.max(...harmonics.map(h => h.magnitude))) / 3);
        turnChart(left, [line(curve(harmonics, 10 ** -exponent), palette[0], {label: 'Z'})], 'phase [deg]', `Z [10${superscript(exponent)} rad/C]`);
        const right = add(pair, 'div', '');
        add(right, 'h2', '', 'Interaction with an anchor');
        add(right, 'p', 'note',
            'Rate at which a full-scale anchor of this shape turns the phase, averaged over a period, in units of the K of a sinusoidal one. The cell ' +
                'comes to rest where it falls through 0.');
        const k = at(c, 'interaction.sine')?.[0]?.magnitude;
        const shapes = [['sine', 'sinusoidal'], ['square', 'square-ish, tanh(8 cos)'], ['own', 'the cell\'s own waveform']];
        const lines = shapes.map(([key, label], n) => [at(c, `interaction.${key}`), label, n])
                          .filter(([series]) => Array.isArray(series))
                          .map(([series, label, n]) => line(curve(series, 1 / k), palette[n], {label, borderDash: [[], [7, 4], [2, 3]][n]}));
        if (isNumber(k)) turnChart(right, lines, 'phase of the cell minus phase of the anchor [deg]', '\u0393 / K');
        const box = add(page, 'section', '');
        add(box, 'h2', '', 'Harmonics');
        const own = new Map((c.waveform ?? []).map(h => [h.order, h]));
        const first = harmonics[1]?.magnitude;
        box.append(table(
            '',
            ['order', `|Z| [${at(c, 'ppv.unit') ?? '-'}]`, '|Z| / |Z\u2081|', 'arg Z [deg]', 'waveform, relative', 'its phase [deg]'].map(
                name => element('th', '', name)),
            harmonics.map(h => [h.order, number(h.magnitude, '', 4), number(h.magnitude / first), number(degrees(h.phase_rad), '', 4),
                                number(own.get(h.order)?.magnitude), number(degrees(own.get(h.order)?.phase_rad), '', 4)]
                                   .map(text => element('td', '', text)))));
        add(box, 'p', 'note',
            `What the measurement adds to each |Z|: ${number(at(c, 'ppv.floor'), at(c, 'ppv.unit') ?? '')} (one standard deviation). Harmonics at the ` +
                'end that are below four of them are left out.');
    };

    const diffusion = c => {
        const sources = at(c, 'noise.sources') ?? [];
        const missing = at(c, 'noise.left_out');
        if (sources.length === 0 && !missing) return;
        const box = add(page, 'section', '');
        add(box, 'h2', '', 'Phase diffusion');
        if (sources.length > 0) {
            const d = c.phase_diffusion_rad2_per_s;
            const spread = isNumber(d) ? degrees(Math.sqrt(d / c.frequency_at_step_hz)) : null;
            add(box, 'p', '',
                `D = ${number(d, 'rad\u00b2/s')} at ${number(c.temperature_k, 'K')}: the phase of a free cell spreads by ${
                    number(spread, 'deg')} rms in one period, and by \u221an times that in n.`);
            box.append(table(
                '', ['source', 'share', 'D [rad\u00b2/s]', 'density'].map(name => element('th', '', name)),
                sources.map(s => [element('td', 'text', s.name), element('td', '', number(100 * s.share, '%')),
                                  element('td', '', number(s.phase_diffusion_rad2_per_s)), element('td', 'text', s.formula)])));
        }
        if (missing) add(box, 'p', 'note', sources.length > 0 ? `Left out: ${missing}.` : `Not known: ${missing}.`);
    };

    // Points of phase model against circuit over injection times drive, one colour and marker per injection; circuits that did not settle are not shown.
    const agreementChart = (parent, levels, value, options) => {
        const datasets = levels.map((level, k) => ({
                                        data: level.points.map(p => ({x: p.injection * p.drive, y: value(p), drive: p.drive}))
                                                  .filter(p => isNumber(p.y)),
                                        label: `injection ${number(level.injection)}`,
                                        pointStyle: markers[k % markers.length],
                                        pointRadius: 4.5,
                                        borderWidth: 1.5,
                                        borderColor: palette[k % palette.length],
                                        backgroundColor: palette[k % palette.length] + '55'
                                    }));
        const [left, right] = wholeRange(levels.flatMap(level => level.points.map(p => p.injection * p.drive)), 1.3);
        for (const limit of options.limits)
            datasets.push(line([{x: left, y: limit}, {x: right, y: limit}], soft, {borderWidth: 1, borderDash: [4, 4], label: 'limit'}));
        draw(parent, 360, {
            type: 'scatter',
            data: {datasets},
            plugins: [texts(options.limits.map((limit, k) => ({x: left, y: limit, dx: 6, dy: k ? 10 : -10, text: options.labels[k]})))],
            options: {
                scales: {x: logAxis('injection \u00d7 drive r', left, right, plain), y: options.axis},
                plugins: {
                    tooltip: {
                        callbacks: {
                            label: t => `${t.dataset.label}${isNumber(t.raw.drive) ? `, r ${number(t.raw.drive)}` : ''}: ${options.format(t.parsed.y)}`
                        }
                    }
                }
            }
        });
    };

    // Equilibria under square-ish anchors: with the interaction function of the cell's phase sensitivity, and as if anchors were sinusoids.
    const squareChart = (parent, c, available) => {
        const levels = available.map(l => ({...l, points: (c.agreement_square ?? []).filter(p => p.injection === l.injection)}));
        const errors = levels.flatMap(l => l.points.flatMap(p => [p.phase_error_deg, p.sine_model_error_deg])).filter(isNumber).map(Math.abs);
        if (!errors.length) return;
        const section = add(parent, 'section', 'pair');
        const range = wholeRange([...errors, 1], 1.6);
        const axis = () => logAxis('|phase error| [deg]', Math.max(range[0], 1e-3), range[1], plain);
        const panel = (title, key) => {
            const box = add(section, 'div', '');
            add(box, 'h3', '', title);
            const shown = p => isNumber(p[key]) ? Math.max(Math.abs(p[key]), 1e-3) : null;
            agreementChart(box, levels, shown, {limits: [1], labels: ['1 deg'], axis: axis(), format: y => number(y, 'deg')});
        };
        panel('Square-ish anchors, tanh(8 cos x): circuit minus model', 'phase_error_deg');
        panel('The same minus a model of sinusoidal anchors', 'sine_model_error_deg');
    };

    const agreementSection = c => {
        if (!Array.isArray(c.agreement)) return;
        const levels = (c.agreement_by_injection ?? []).map(l => ({...l, points: c.agreement.filter(p => p.injection === l.injection)}));
        const available = levels.filter(l => !l.not_available);
        const v = c.validity ?? {};
        const box = add(page, 'section', '');
        add(box, 'h2', '', 'Phase model against circuit');
        add(box, 'p', 'note',
            `Fresh random networks of eight anchors, ${c.agreement.length} oscillators in all, through the circuit and through the phase model. ` +
                (v.max_injection > 0 ? `Within 1 deg and 10 % up to injection ${number(v.max_injection)}: ` +
                         `equilibrium ${number(v.phase_rms_deg, 'deg')} rms, settling time ${number(at(v, 'settling_ratio.median'), '', 4)} of the model's in the median.` :
                                       'At no injection within 1 deg and 10 %.') +
                ` The limit: ${v.limit ?? '-'}. 0.02 deg are what a circuit may still have to go when it counts as settled.` +
                (at(v, 'square_anchors.oscillators') > 0 ? ` Square-ish anchors are predicted within ${number(at(v, 'square_anchors.phase_rms_deg'), 'deg')} rms` +
                         ` (${number(at(v, 'square_anchors.sine_model_rms_deg'), 'deg')} without the interaction function).` :
                                                           ''));
        const legend = add(box, 'div', 'legend');
        available.forEach(
            (l, k) => add(legend, 'span', '', swatch(palette[k % palette.length], [], markers[k % markers.length]), `injection ${number(l.injection)}`));
        const pair = add(page, 'section', 'pair');
        const phase = add(pair, 'div', '');
        add(phase, 'h3', '', 'Phase in equilibrium, circuit minus model');
        const errors = available.flatMap(l => l.points.map(p => Math.abs(p.phase_error_deg ?? NaN)));
        const [low, high] = wholeRange([...errors, 1], 1.6);
        agreementChart(phase, available, p => isNumber(p.phase_error_deg) ? Math.max(Math.abs(p.phase_error_deg), low) : null, {
            limits: [1],
            labels: ['limit 1 deg'],
            axis: logAxis('|phase error| [deg]', Math.max(low, 1e-4), high, plain),
            format: y => number(y, 'deg')
        });
        const settling = add(pair, 'div', '');
        add(settling, 'h3', '', 'Settling time, circuit over model');
        const ratios = available.flatMap(l => l.points.map(p => p.settling_ratio)).filter(isNumber);
        agreementChart(settling, available, p => p.settling_ratio, {
            limits: [1.1, 0.9],
            labels: ['+10 %', '\u221210 %'],
            axis: {
                min: Math.min(0.85, ...ratios.map(r => r - 0.02)),
                max: Math.max(1.15, ...ratios.map(r => r + 0.02)),
                title: {display: true, text: 'ratio', color: ink},
                grid: {color: rule, borderColor: soft},
                ticks: {includeBounds: false}
            },
            format: y => number(y, '', 4)
        });
        squareChart(page, c, available);
        const text = x => element('td', '', x);
        const range = l => {  // the widest range of neighbouring drives that agree
            let widest = null;
            let now = null;
            for (const d of l.drives ?? []) {
                now = d.inside ? {low: now ? now.low : d.low, high: d.high} : null;
                if (now && (!widest || now.high / now.low > widest.high / widest.low)) widest = now;
            }
            return widest ? `r ${number(widest.low, '', 2)} to ${number(widest.high)}` : 'none';
        };
        const closing = add(page, 'section', '');
        closing.append(table(
            '',
            ['injection', 'K/\u03c9\u2080', 'phase, rms [deg]', 'phase, max [deg]', 'settling ratio, median', '5 % to 95 %', 'lock range ratio', 'square anchors, rms [deg]', 'valid for'].map(
                name => element('th', '', name)),
            available.map(l => [
                text(number(l.injection)), text(number(l.coupling_rate_over_w0)), text(number(l.phase_rms_deg)), text(number(l.phase_max_deg)),
                text(number(at(l, 'settling_ratio.median'), '', 4)),
                text(`${number(at(l, 'settling_ratio.p5'), '', 4)} to ${number(at(l, 'settling_ratio.p95'), '', 4)}`), text(number(l.lock_range_ratio, '', 4)),
                text(number(at(l, 'square_anchors.phase_rms_deg'))),
                text(range(l))
            ])));
        for (const l of levels.filter(level => level.not_available)) add(closing, 'p', 'note', `Injection ${number(l.injection)} is not available: ${l.not_available}`);
    };

    const characterization = () => {
        const c = data.cell;
        const s = c.substrate ?? {};
        const [low, high] = c.lock_range_hz ?? [null, null];
        const f = c.frequency_at_step_hz;
        const rate = at(c, 'coupling_rate_rad_per_s.lock_range');
        const offset = degrees(c.offset_rad);
        const slope = degrees(c.slope_rad);
        const residual = degrees(c.calibration_residual_rad);
        add(page, 'p', 'verdict',
            `The ${s.kind ?? '-'} cell ${s.cell ?? '-'} (${s.corner ?? '-'} corner) runs at ${engineering(c.frequency_hz, 'Hz', 4)} on ` +
                `${engineering(c.power_w, 'W')} and, at injection ${number(s.injection)}, locks from ${engineering(low, 'Hz', 5)} to ${
                    engineering(high, 'Hz', 5)}.`);
        const section = add(page, 'section', '');
        add(section, 'h2', '', 'Measured cell');
        section.append(facts([
            [
                ['frequency', `${engineering(c.frequency_hz, 'Hz', 7)} (step \u2192 0)`],
                ['frequency at the step', `${engineering(f, 'Hz', 7)} at ${at(c, 'options.points_per_period') ?? '-'} points per period`],
                ['amplitude', engineering(c.amplitude, c.amplitude_unit ?? '')], ['power', engineering(c.power_w, 'W')],
                ['reference current', engineering(c.reference_current_a, 'A')]
            ],
            [
                [
                    'coupling rate K',
                    `${engineering(rate, 'rad/s', 4)} from the lock range (K/\u03c9\u2080 = ${
                        number(isNumber(rate) && isNumber(f) ? rate / (2 * Math.PI * f) : null, '', 4)})`
                ],
                ['', `${engineering(at(c, 'coupling_rate_rad_per_s.return_rate'), 'rad/s', 4)} from the return of weakly driven phases`],
                ['', `${engineering(at(c, 'coupling_rate_rad_per_s.ppv'), 'rad/s', 4)} from the phase sensitivity`],
                [
                    'lock range',
                    `${engineering(low, 'Hz', 6)} to ${engineering(high, 'Hz', 6)} (\u2212${engineering(f - low, 'Hz')}, +${
                        engineering(high - f, 'Hz')})`
                ],
                ['raw phase error', `${number(offset, 'deg', 4)} at drive 0.25`], ['slope', `${number(slope, 'deg', 4)} per unit of drive`],
                ['largest residual', `${number(residual, 'deg')} of the calibration points from this line`],
                [
                    'raw phase error, no drive', `${number(isNumber(offset) && isNumber(slope) ? offset - 0.25 * slope : null, 'deg', 4)} measured, ${
                                                     number(degrees(c.offset_ppv_rad), 'deg', 4)} from the phase sensitivity`
                ]
            ]
        ]));

        const pair = add(page, 'section', 'pair');
        const error = add(pair, 'div', '');
        add(error, 'h2', '', 'Raw phase error against drive');
        add(error, 'p', 'note',
            `offset + slope (r \u2212 0.25); the band is the largest residual, ${number(residual, 'deg')}. The marker is what the readout removes.`);
        if (isNumber(offset) && isNumber(slope)) {
            const band = sign => [0, 1].map(r => ({x: r, y: offset + slope * (r - 0.25) + sign * (residual ?? 0)}));
            draw(error, 340, {
                type: 'scatter',
                data: {
                    datasets: [
                        line([0, 1].map(r => ({x: r, y: offset + slope * (r - 0.25)})), palette[0], {label: 'raw phase error'}),
                        line(band(1), palette[0], {borderWidth: 0, fill: '+1', backgroundColor: 'rgba(0,114,178,0.15)', label: 'residual'}),
                        line(band(-1), palette[0], {borderWidth: 0, label: 'residual'}),
                        {data: [{x: 0.25, y: offset}], pointRadius: 6, borderColor: palette[1], backgroundColor: palette[1], label: 'offset'}
                    ]
                },
                plugins: [texts([{x: 0.25, y: offset, dx: 12, dy: slope > 0 ? 14 : -14, text: `offset ${number(offset, 'deg', 4)}`, color: ink}])],
                options: {
                    scales: {
                        x: {
                            type: 'linear',
                            min: 0,
                            max: 1,
                            title: {display: true, text: 'drive r [fraction of full scale]', color: ink},
                            grid: {color: rule, borderColor: soft}
                        },
                        y: {title: {display: true, text: 'raw phase error [deg]', color: ink}, grid: {color: rule, borderColor: soft}, grace: '10%'}
                    },
                    plugins: {tooltip: {callbacks: {label: t => `${t.dataset.label}: r ${number(t.parsed.x)}, ${number(t.parsed.y, 'deg', 4)}`}}}
                }
            });
        }
        const lock = add(pair, 'div', '');
        add(lock, 'h2', '', 'Lock range at full scale');
        add(lock, 'p', 'note', 'Drive frequencies at which the cell locks, relative to its free-running frequency at the step.');
        if (isNumber(low) && isNumber(high) && isNumber(f)) {
            const reach = 1.6 * Math.max(f - low, high - f);
            const unit = Math.floor(Math.log10(reach) / 3 + 1e-12);
            const scale = 10 ** (3 * unit);
            const name = prefixes[unit + 7] + 'Hz';
            const y = 'drive';
            draw(lock, 150, {
                type: 'scatter',
                data: {
                    datasets: [
                        {
                            ...line([{x: (low - f) / scale, y}, {x: (high - f) / scale, y}], palette[0], {borderWidth: 10, label: 'locks'}),
                            borderCapStyle: 'butt'
                        },
                        {
                            data: [{x: 0, y}],
                            pointRadius: 7,
                            pointStyle: 'line',
                            rotation: 90,
                            borderColor: '#fff',
                            borderWidth: 2,
                            label: 'free-running'
                        }
                    ]
                },
                plugins: [texts([
                    {x: (low - f) / scale, y, dy: -20, align: 'center', text: `\u2212${engineering(f - low, 'Hz')}`, color: ink},
                    {x: (high - f) / scale, y, dy: -20, align: 'center', text: `+${engineering(high - f, 'Hz')}`, color: ink},
                    {x: 0, y, dy: -20, align: 'center', text: engineering(f, 'Hz', 5), color: ink}
                ])],
                options: {
                    scales: {
                        x: {
                            type: 'linear',
                            min: -reach / scale,
                            max: reach / scale,
                            ticks: {includeBounds: false},
                            title: {display: true, text: `detuning of the drive [${name}]`, color: ink},
                            grid: {color: rule, borderColor: soft}
                        },
                        y: {type: 'category', labels: [y], offset: true, display: false}
                    },
                    plugins: {tooltip: {enabled: false}}
                }
            });
        }
        sensitivity(c);
        diffusion(c);
        agreementSection(c);
        const last = add(page, 'section', '');
        add(last, 'h2', '', 'Provenance');
        last.append(facts([[
            [
                'method',
                `${at(c, 'options.method') ?? '-'}, ${at(c, 'options.points_per_period') ?? '-'} points per period, reltol ${
                    number(at(c, 'options.reltol'))}`
            ],
            ['temperature', number(c.temperature_k, 'K')], ...provenance(c.provenance ?? {})
        ]]));
    };

    page.replaceChildren();
    add(page, 'h1', '', data.title);
    (data.kind === 'results' ? results : characterization)();
    root.dataset.rendered = data.kind;
})();
