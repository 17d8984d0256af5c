//! A plot of lines on two logarithmic axes, as SVG.

use super::growth::Point;

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 560.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 250.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 50.0;

const COLOURS: [&str; 12] = [
    "#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b", "#e377c2", "#17becf", "#bcbd22",
    "#7f7f7f", "#003f5c", "#a05195",
];

/// The axes span these powers of ten.
struct Axes {
    messages: (f64, f64),
    ms: (f64, f64),
}

impl Axes {
    fn of(points: &[Point]) -> Axes {
        let messages = points.iter().map(|point| f64::from(point.messages).log10());
        let ms = points.iter().map(|point| point.ms.max(0.001).log10());
        let span = |values: &mut dyn Iterator<Item = f64>| {
            let (low, high) =
                values.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
            (low.floor(), high.ceil().max(low.floor() + 1.0))
        };
        Axes { messages: span(&mut messages.into_iter()), ms: span(&mut ms.into_iter()) }
    }

    fn x(&self, power: f64) -> f64 {
        LEFT + (power - self.messages.0) / (self.messages.1 - self.messages.0) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, power: f64) -> f64 {
        HEIGHT - BOTTOM - (power - self.ms.0) / (self.ms.1 - self.ms.0) * (HEIGHT - TOP - BOTTOM)
    }
}

/// Milliseconds against messages, one line for each operation.
pub fn svg(points: &[Point]) -> String {
    let axes = Axes::of(points);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n"
    );
    grid(&axes, &mut out);
    let mut operations: Vec<&str> = Vec::new();
    for point in points {
        if !operations.contains(&point.operation) {
            operations.push(point.operation);
        }
    }
    for (at, operation) in operations.iter().enumerate() {
        let colour = COLOURS.get(at % COLOURS.len()).copied().unwrap_or("#000000");
        let places: Vec<String> = points
            .iter()
            .filter(|point| point.operation == *operation)
            .map(|point| {
                let (x, y) = (axes.x(f64::from(point.messages).log10()), axes.y(point.ms.max(0.001).log10()));
                format!("{x:.1},{y:.1}")
            })
            .collect();
        out.push_str(&format!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\n",
            places.join(" ")
        ));
        let y = TOP + 20.0 * at as f64 + 10.0;
        let x = WIDTH - RIGHT + 20.0;
        out.push_str(&format!(
            "<line x1=\"{x}\" y1=\"{y}\" x2=\"{}\" y2=\"{y}\" stroke=\"{colour}\" stroke-width=\"3\"/><text x=\"{}\" y=\"{}\">{operation}</text>\n",
            x + 20.0, x + 26.0, y + 4.0
        ));
    }
    out.push_str("</svg>\n");
    out
}

fn grid(axes: &Axes, out: &mut String) {
    let powers = |(low, high): (f64, f64)| (low as i32)..=(high as i32);
    for power in powers(axes.messages) {
        let x = axes.x(f64::from(power));
        out.push_str(&format!(
            "<line x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{}\" stroke=\"#dddddd\"/><text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n",
            HEIGHT - BOTTOM, HEIGHT - BOTTOM + 20.0, 10_u64.pow(power.unsigned_abs())
        ));
    }
    for power in powers(axes.ms) {
        let y = axes.y(f64::from(power));
        let label = 10_f64.powi(power);
        out.push_str(&format!(
            "<line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{}\" y2=\"{y:.1}\" stroke=\"#dddddd\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{label} ms</text>\n",
            WIDTH - RIGHT, LEFT - 8.0, y + 4.0
        ));
    }
    out.push_str(&format!(
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">messages in the mailbox</text>\n",
        LEFT + (WIDTH - LEFT - RIGHT) / 2.0,
        HEIGHT - 8.0
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_has_a_line_for_each_operation() {
        let point = |operation, messages, ms| Point { operation, messages, ms };
        let drawn = svg(&[point("one", 1_000, 0.5), point("one", 10_000, 5.0), point("two", 1_000, 1.0)]);
        assert_eq!(drawn.matches("<polyline").count(), 2);
        assert!(drawn.contains(">one<") && drawn.contains(">10000<") && !drawn.contains("NaN"));
    }
}
