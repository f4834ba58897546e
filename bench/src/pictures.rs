//! Bars as SVG, in a few lines of text that a browser draws: readable in light and in dark, wherever they are shown.

use std::fmt::Write as _;

/// Groups of bars below each other, each with a cell for every column.
pub struct Picture {
    /// The name of its file, without ending.
    pub name: &'static str,
    /// What it shows, in a line.
    pub title: &'static str,
    /// How to read it, in a line.
    pub note: &'static str,
    /// The heads of the columns.
    pub columns: Vec<&'static str>,
    /// From top to bottom.
    pub groups: Vec<Group>,
}

/// What is compared with each other.
pub struct Group {
    /// What they have in common.
    pub name: &'static str,
    /// The bars of each column.
    pub cells: Vec<Vec<Bar>>,
}

/// One figure.
pub struct Bar {
    /// Whose it is.
    pub label: &'static str,
    /// Whether it stands out.
    pub is_ours: bool,
    /// What part of the longest possible bar it is: 0 to 1.
    pub part: f64,
    /// The figure, as it stands beside the bar.
    pub text: String,
}

const WIDTH: usize = 960;
const MARGIN: usize = 20;
/// Where the columns begin; the names of groups stand before.
const LEFT: usize = 124;
/// Where the groups begin; the title, the note and the heads stand above.
const TOP: usize = 104;
const LINE: usize = 20;
const BAR: usize = 12;
const BETWEEN_GROUPS: usize = 18;
/// What a bar's label and its figure take of a cell.
const LABEL: usize = 130;
const FIGURE: usize = 84;

/// Colours of its own for the background too: a page may be dark where the system is light.
const STYLE: &str = "\
.page{fill:#fff}.strong,.figure{fill:#1f2328}.weak{fill:#59636e}.rule{stroke:#d1d9e0}.peer{fill:#afb8c1}.ours{fill:#0969da}\
text{font:13px system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif}\
.title{font-size:17px;font-weight:600}.name{font-weight:600}.figure{font-variant-numeric:tabular-nums}\
@media(prefers-color-scheme:dark){.page{fill:#0d1117}.strong,.figure{fill:#f0f6fc}.weak{fill:#9198a1}\
.rule{stroke:#3d444d}.peer{fill:#656c76}.ours{fill:#4493f8}}";

impl Picture {
    /// The text of the SVG file.
    pub fn svg(&self) -> String {
        let height = TOP + self.groups.iter().map(Group::height).sum::<usize>();
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
            viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\">\n<style>{STYLE}</style>\n\
            <rect class=\"page\" width=\"{WIDTH}\" height=\"{height}\" rx=\"8\"/>\n",
            escaped(self.title)
        );
        text(&mut svg, (MARGIN, 36), "strong title", self.title);
        text(&mut svg, (MARGIN, 58), "weak", self.note);
        for (column, head) in self.columns.iter().enumerate() {
            text(&mut svg, (self.x(column), TOP - 16), "weak", head);
        }
        let mut y = TOP;
        for group in &self.groups {
            self.draw(&mut svg, group, y);
            y += group.height();
        }
        svg + "</svg>\n"
    }

    fn draw(&self, svg: &mut String, group: &Group, top: usize) {
        push(
            svg,
            format_args!(
                "<line class=\"rule\" x1=\"{MARGIN}\" x2=\"{}\" y1=\"{top}\" y2=\"{top}\"/>\n",
                WIDTH - MARGIN
            ),
        );
        text(svg, (MARGIN, top + LINE + 2), "strong name", group.name);
        for (column, bars) in group.cells.iter().enumerate() {
            for (line, bar) in bars.iter().enumerate() {
                let at = (self.x(column), top + BETWEEN_GROUPS / 2 + line * LINE);
                bar.draw(svg, at, self.column() - LABEL - FIGURE);
            }
        }
    }

    /// Where a column begins.
    fn x(&self, column: usize) -> usize {
        LEFT + column * self.column()
    }

    fn column(&self) -> usize {
        (WIDTH - LEFT - MARGIN) / self.columns.len().max(1)
    }
}

impl Group {
    fn height(&self) -> usize {
        let lines = self.cells.iter().map(Vec::len).max().unwrap_or_default();
        lines * LINE + BETWEEN_GROUPS
    }
}

impl Bar {
    /// Bars of these figures, of which the longest is as long as there is room.
    pub fn beside_each_other(
        figures: impl Iterator<Item = (&'static str, bool, f64)>,
        text: impl Fn(f64) -> String,
    ) -> Vec<Self> {
        let figures: Vec<_> = figures.collect();
        let longest = figures.iter().map(|(_, _, figure)| *figure);
        let longest = longest.fold(f64::MIN_POSITIVE, f64::max);
        let bar = |(label, is_ours, figure): (_, _, f64)| Self {
            label,
            is_ours,
            part: (figure / longest).max(0.0),
            text: text(figure),
        };
        figures.into_iter().map(bar).collect()
    }

    fn draw(&self, svg: &mut String, (x, y): (usize, usize), room: usize) {
        let (whose, name) = if self.is_ours {
            ("ours", "strong")
        } else {
            ("peer", "weak")
        };
        let baseline = y + BAR + 1;
        text(svg, (x, baseline), name, self.label);
        let width = pixels(room) * self.part;
        let start = x + LABEL;
        push(
            svg,
            format_args!(
                "<rect class=\"{whose}\" x=\"{start}\" y=\"{}\" width=\"{width:.1}\" height=\"{BAR}\" rx=\"2\"/>\n\
                <text class=\"figure\" x=\"{:.1}\" y=\"{baseline}\">{}</text>\n",
                y + 3,
                pixels(start) + width + 6.0,
                escaped(&self.text)
            ),
        );
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "they are no more than the width"
)]
fn pixels(count: usize) -> f64 {
    count as f64
}

fn text(svg: &mut String, (x, y): (usize, usize), class: &str, text: &str) {
    let text = escaped(text);
    push(
        svg,
        format_args!("<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{text}</text>\n"),
    );
}

fn push(svg: &mut String, text: std::fmt::Arguments<'_>) {
    svg.write_fmt(text).expect("a string takes any text");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}
