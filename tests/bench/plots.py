# SPDX-License-Identifier: GPL-2.0-or-later
"""SVG plots of the results by gnuplot: ratios against goals, wall time of
everything that ran side by side, size and speed of the levels."""
import os
import subprocess

MIB = 1 << 20


def quoted(text):
    return '"' + text.replace('\\', '').replace('"', "'") + '"'


def gnuplot(folder, name, height, lines, script):
    """Writes folder/name.svg from a table of @lines."""
    table = os.path.join(folder, name + '.dat')
    with open(table, 'w') as f:
        f.write('\n'.join(lines) + '\n')
    head = f'''set terminal svg size 900,{height} dynamic font "sans,12" \\
    background rgb "white" noenhanced
set output {quoted(os.path.join(folder, name + '.svg'))}
table = {quoted(table)}
unset key
set grid x
set style fill solid 0.8 noborder
'''
    subprocess.run(['gnuplot'], input=head + script, text=True, check=True)


def bars(folder, name, title, rows, extra=''):
    """Horizontal bars; @rows: (label, length, text, colour)."""
    lines = [f'{i} {value:.6f} {quoted(label)} {quoted(text)} {colour}'
             for i, (label, value, text, colour) in enumerate(rows)]
    gnuplot(folder, name, 110 + 22 * len(rows), lines, f'''
set title {quoted(title)}
set xrange [0:*]
set yrange [{len(rows)}:-1]
set tics scale 0
set lmargin 50
set rmargin 16
{extra}
plot table using (0):1:(0):2:($1-0.35):($1+0.35):5:ytic(3) \\
    with boxxyerror linecolor rgb variable, \\
    table using 2:1:4 with labels left offset 0.5,0 font "sans,10"
''')


def ratios(folder, results):
    rows = [(f'{r["case"]} {g["what"]}', g['ratio'] / g['goal'],
             f'{g["ratio"]:.2f} of {g["goal"]:.2f}',
             0x2e8b57 if g['reached'] else 0xc0392b)
            for r in results for g in r['goals']]
    if rows:
        bars(folder, 'ratios', 'measured / goal: up to 1 is reached', rows,
             f'set arrow from 1,-1 to 1,{len(rows)} nohead lw 2')


def walls(folder, results):
    """Of each case its contestants, relative to the slowest."""
    rows = []
    for r in results:
        if not r['rows'] or not r['goals']:
            continue
        slowest = max(row['wall'] for row in r['rows'])
        ours = {g['ours'] for g in r['goals']}
        for row in r['rows']:
            rows.append((f'{r["case"]} {row["name"]}', row['wall'] / slowest,
                         f'{row["wall"]:.2f} s',
                         0x2e8b57 if row['name'] in ours else 0x7f8c8d))
    if rows:
        bars(folder, 'walls', 'wall time, ours in green; the slowest of a '
             'case is 1', rows)


def levels(folder, results):
    points = [p for r in results for p in r['points']]
    if not points:
        return
    lines = [f'{work / MIB / wall:.3f} {100 * size / work:.3f} '
             f'{quoted(f"level {level}")}'
             for level, size, work, wall in points]
    gnuplot(folder, 'levels', 400, lines, '''
set title "compression levels of ZVHD2"
set xlabel "MiB/s"
set ylabel "% of the data"
set logscale x
set grid y
set offsets graph 0.1, graph 0.1, graph 0.1, graph 0.1
plot table using 1:2 with linespoints pt 7 lc rgb 0x2e8b57, \\
    table using 1:2:3 with labels offset 0,1
''')


def draw(folder, results):
    for plot in ratios, walls, levels:
        plot(folder, results)
