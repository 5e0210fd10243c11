"""The style sheet of every page; the dark page changes variables only."""

_COLOURS = """
:root {
  color-scheme: light dark;
  --page: #f5f6f8; --card: #fff; --raised: #f7f8fa; --ink: #171b22; --muted: #5b6472; --line: #e2e6ec;
  --grid: #e9ecf1; --accent: #1f66cf; --tint: #edf3fc;
  --c1: #2a73d8; --c2: #df5f22; --c3: #108a60; --c4: #7650c4; --c5: #c33a73; --c6: #9a7100;
  --shade: #2a6fd6; --shadewrong: #d4551a;
  --good: #0f7a55; --bad: #c23434; --goodtint: #e4f4ec; --badtint: #fbe9e7;
  --shadow: 0 1px 2px rgb(20 30 50 / .05), 0 4px 16px rgb(20 30 50 / .04);
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0d1015; --card: #151a21; --raised: #1b212a; --ink: #e7ebf1; --muted: #9aa5b5; --line: #29313c;
    --grid: #222933; --accent: #7db4ff; --tint: #182638;
    --c1: #5aa2f5; --c2: #f28d57; --c3: #3fc08f; --c4: #ab90f2; --c5: #ee7eac; --c6: #d8ab3d;
    --shade: #2f74d0; --shadewrong: #c9571f;
    --good: #4cc794; --bad: #f0807a; --goodtint: #14302a; --badtint: #3a1f20;
    --shadow: none;
  }
}
"""

_PAGE = """
* { box-sizing: border-box; }
html { scroll-behavior: smooth; scroll-padding-top: 64px; -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.55 ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
code, pre { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; font-size: .9em; }
a { color: var(--accent); }
h1 { font-size: 30px; line-height: 1.15; letter-spacing: -.02em; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 20px; letter-spacing: -.01em; margin: 0 0 4px; }
h2 + div { margin-top: 16px; }
h3 { font-size: 14px; margin: 26px 0 8px; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.shell {
  max-width: 1240px; margin: 0 auto; padding: 28px 24px 64px;
  display: grid; grid-template-columns: minmax(0, 1fr); gap: 20px;
}
nav {
  position: sticky; top: 0; z-index: 2; background: var(--page); margin: 0 -24px; padding: 8px 24px;
  overflow-x: auto; scrollbar-width: none;
}
nav ul { display: flex; gap: 4px; list-style: none; margin: 0; padding: 0; }
nav a {
  display: block; padding: 5px 11px; border-radius: 7px; text-decoration: none; color: var(--muted);
  white-space: nowrap; font-size: 14px;
}
nav a:hover, nav a:focus-visible { background: var(--card); color: var(--ink); }
main { display: grid; gap: 20px; grid-template-columns: minmax(0, 1fr); }
.card {
  background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 24px;
  box-shadow: var(--shadow); min-width: 0;
}
.lead { color: var(--muted); margin: 0 0 18px; max-width: 76ch; overflow-wrap: anywhere; }
.eyebrow { color: var(--muted); font-size: 13px; margin: 0 0 6px; }
.title { display: flex; flex-wrap: wrap; align-items: center; gap: 12px; }
.badge {
  font-size: 12.5px; font-weight: 600; border-radius: 99px; padding: 2px 10px; white-space: nowrap;
  background: var(--tint); color: var(--accent);
}
.badge.good { background: var(--goodtint); color: var(--good); }
.badge.bad { background: var(--badtint); color: var(--bad); }
.facts {
  display: flex; flex-wrap: wrap; gap: 2px 18px; margin: 10px 0 0; padding: 0; list-style: none;
  color: var(--muted); font-size: 13.5px; overflow-wrap: anywhere;
}
.tiles {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(158px, 1fr)); gap: 10px; margin: 22px 0;
}
.tile { background: var(--raised); border: 1px solid var(--line); border-radius: 11px; padding: 13px 15px; }
.tile dt { color: var(--muted); font-size: 13px; }
.tile dd { margin: 0; }
.tile .big { font-size: 27px; font-weight: 650; letter-spacing: -.02em; line-height: 1.3; white-space: nowrap; }
.tile .small { color: var(--muted); font-size: 12.5px; line-height: 1.4; }
.command {
  display: flex; align-items: center; gap: 8px; background: var(--raised); border: 1px solid var(--line);
  border-radius: 10px; padding: 9px 9px 9px 14px; min-height: 46px;
}
.command code { flex: 1; min-width: 0; overflow-wrap: anywhere; white-space: pre-wrap; }
.command button {
  font-family: inherit; font-size: 12.5px; font-weight: 600; color: var(--muted); background: var(--card);
  border: 1px solid var(--line); border-radius: 7px; padding: 4px 10px; cursor: pointer;
}
.command button:hover { color: var(--ink); }
.banner { border-color: var(--bad); background: var(--badtint); overflow-wrap: anywhere; }
footer { color: var(--muted); font-size: 13px; text-align: center; }
@media (min-width: 1080px) {
  .shell { grid-template-columns: 148px minmax(0, 1fr); column-gap: 28px; }
  header.card, .banner, footer { grid-column: 1 / -1; }
  nav { top: 20px; align-self: start; margin: 0 0 0 -11px; padding: 0; }
  nav ul { flex-direction: column; gap: 1px; }
  html { scroll-padding-top: 20px; }
}
@media (max-width: 560px) {
  .shell { padding: 14px 12px 40px; gap: 14px; }
  .card { padding: 18px 14px; }
  nav { margin: 0 -12px; padding: 6px 12px; }
  h1 { font-size: 25px; }
  .tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .tile { padding: 11px 12px; }
  .tile .big { font-size: 22px; }
}
@media print {
  nav, .command button { display: none; }
  .card { break-inside: avoid; box-shadow: none; }
}
"""

_CONTENT = """
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 320px), 1fr)); gap: 26px 30px; }
.columns > * { min-width: 0; }
.scroll { overflow-x: auto; }
.scroll.long { max-height: 620px; overflow-y: auto; }
.long th { position: sticky; top: 0; background: var(--card); }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }
th {
  color: var(--muted); font-weight: 600; font-size: 13px; text-align: right; padding: 6px 10px;
  border-bottom: 1px solid var(--line); white-space: nowrap;
}
td { padding: 7px 10px; border-bottom: 1px solid var(--grid); text-align: right; white-space: nowrap; }
tr:last-child td { border-bottom: 0; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
th:last-child, td:last-child { padding-right: 0; }
td:first-child { white-space: normal; overflow-wrap: anywhere; min-width: 90px; }
td.left, th.left { text-align: left; }
td.words { white-space: normal; overflow-wrap: anywhere; min-width: 120px; }
.meter {
  display: inline-block; width: 72px; height: 6px; border-radius: 3px; background: var(--grid); margin-left: 10px;
  vertical-align: middle; overflow: hidden;
}
.meter i { display: block; height: 100%; background: var(--c1); width: var(--share); }
.columns :is(th, td):not(:first-child) { padding-left: 7px; }
.columns :is(th, td):not(:last-child) { padding-right: 7px; }
.meter.m2 i { background: var(--c2); }
.meter.m3 i { background: var(--c3); }
.note { color: var(--muted); font-size: 13.5px; margin: 14px 0 0; max-width: 84ch; }
.sub { color: var(--muted); font-size: 12.5px; }
.spaced { display: flex; flex-wrap: wrap; gap: 0 10px; margin-top: 5px; white-space: nowrap; }
.samples { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 218px), 1fr)); gap: 14px; }
.sample {
  border: 1px solid var(--line); border-radius: 12px; padding: 13px; display: flex; gap: 12px; min-width: 0;
}
.sample.tall { display: block; }
.sample .body { min-width: 0; flex: 1; font-size: 13.5px; line-height: 1.4; }
.sample p { margin: 0 0 7px; overflow-wrap: anywhere; }
.strip {
  display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 8px; margin-bottom: 10px;
  text-align: center; font-size: 11.5px; color: var(--muted);
}
.strip .pixels, .strip .nopicture { width: 100%; height: auto; aspect-ratio: 1; margin-bottom: 4px; }
.pixels { image-rendering: pixelated; border-radius: 6px; background: #000; flex: none; display: block; }
.nopicture {
  display: grid; place-items: center; width: 72px; height: 72px; border-radius: 6px; flex: none;
  background: var(--raised); color: var(--muted); font-size: 12px;
}
.answer { display: flex; flex-wrap: wrap; gap: 4px 8px; align-items: center; }
.tag {
  font-size: 12px; font-weight: 600; border-radius: 6px; padding: 1px 7px; overflow-wrap: anywhere; min-width: 0;
  background: var(--goodtint); color: var(--good);
}
.tag.wrong { background: var(--badtint); color: var(--bad); }
details { border-top: 1px solid var(--line); padding: 14px 0 0; margin-top: 18px; }
summary { cursor: pointer; font-weight: 600; font-size: 14px; }
pre {
  background: var(--raised); border: 1px solid var(--line); border-radius: 10px; padding: 14px 16px;
  overflow: auto; max-height: 560px; margin: 12px 0 0; line-height: 1.5;
}
pre .k { color: var(--accent); }
@media (max-width: 560px) {
  .meter { display: none; }
  table { font-size: 13px; }
  th { font-size: 12px; }
  th, td { padding-left: 4px; padding-right: 4px; }
  td:first-child { min-width: 60px; }
}
"""

_CHARTS = """
figure { margin: 0; position: relative; min-width: 0; }
figure.wide { grid-column: 1 / -1; }
figcaption { margin-bottom: 6px; line-height: 1.4; }
figcaption b { display: block; font-size: 14px; font-weight: 650; }
figcaption span { color: var(--muted); font-size: 13px; }
svg { display: block; width: 100%; height: auto; overflow: visible; max-width: 620px; }
figure.wide svg { max-width: none; }
.legend {
  display: flex; flex-wrap: wrap; gap: 2px 14px; list-style: none; margin: 0 0 6px; padding: 0;
  font-size: 12.5px; color: var(--muted);
}
.legend li { display: flex; align-items: center; gap: 6px; min-width: 0; overflow-wrap: anywhere; }
.key { width: 16px; height: 0; border-top: 3px solid; border-radius: 2px; flex: none; }
.key.dashed { border-top-style: dotted; }
svg text { font-family: inherit; font-size: 11.5px; fill: var(--ink); }
svg text.label, svg text.axisname, svg text.bandname { fill: var(--muted); }
svg text.bandname { font-size: 11px; letter-spacing: .02em; }
svg text.onshade { fill: #fff; }
line.grid { stroke: var(--grid); }
line.axis { stroke: var(--line); stroke-width: 1.2; }
path.line, line.line { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
path.dashed { stroke-dasharray: 5 4; }
.band { fill: var(--ink); fill-opacity: .035; }
.track { fill: var(--grid); }
.cell { fill: var(--grid); fill-opacity: .6; }
.diagonal { stroke: var(--muted); stroke-width: 1.4; stroke-dasharray: 4 4; }
.gap { fill: var(--c5); fill-opacity: .32; stroke: var(--c5); stroke-width: .8; }
.shade { fill: var(--shade); }
.shadewrong { fill: var(--shadewrong); }
.untouchable { pointer-events: none; }
.faint { opacity: .4; }
.dot { stroke: var(--card); stroke-width: 1.2; }
.cursor { stroke: var(--muted); stroke-dasharray: 3 3; }
svg rect { rx: 2px; }
svg rect.band, svg rect.gap { rx: 0; }
.tip {
  position: absolute; z-index: 3; pointer-events: none; background: var(--card); color: var(--ink);
  border: 1px solid var(--line); border-radius: 8px; box-shadow: 0 4px 18px rgb(0 0 0 / .18); padding: 6px 10px;
  font-size: 12.5px; line-height: 1.45; max-width: 230px; font-variant-numeric: tabular-nums;
}
.tip div { display: flex; gap: 7px; align-items: center; }
.tip b { margin-left: auto; padding-left: 10px; }
@media (max-width: 560px) {
  svg text, svg text.bandname { font-size: 13px; }
}
"""

_SERIES = "".join(
    f".s{i} {{ stroke: var(--c{i}); }}\n.f{i} {{ fill: var(--c{i}); }}\n.k{i} {{ border-top-color: var(--c{i}); }}\n"
    for i in range(1, 7)
)

CSS = _COLOURS + _PAGE + _CONTENT + _CHARTS + _SERIES
