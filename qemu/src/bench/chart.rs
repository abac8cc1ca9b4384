//! Draws boots below each other on one axis of time, a bar a phase, a line for each program that works; and curves of growth.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::prelude::*;

use super::{
    boots::Boot,
    growth::Growth,
    phases::{Lane, phases},
};

/// Pixels.
const WIDTH: i32 = 1000;
const LEFT: i32 = 130;
const RIGHT: i32 = 20;
const LINE: i32 = 22;
const TITLE: i32 = 30;
const AXIS: i32 = 40;
/// Of a character of a label, about.
const CHARACTER: i32 = 6;
const FONT: &str = "sans-serif";

fn colour(lane: Lane) -> RGBColor {
    match lane {
        Lane::Kernel => RGBColor(158, 158, 158),
        Lane::Pid1 => RGBColor(214, 90, 49),
        Lane::Containerd => RGBColor(106, 168, 79),
        Lane::Dockerd => RGBColor(61, 133, 198),
        Lane::Container => RGBColor(142, 99, 176),
    }
}

/// Draws the boots into the file.
pub(crate) fn draw(boots: &[Boot], path: &Path) -> Result<()> {
    drawn(boots, path).map_err(|error| anyhow!("draw {}: {error}", path.display()))
}

fn drawn(boots: &[Boot], path: &Path) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let lanes = i32::try_from(Lane::ALL.len())?;
    let block = TITLE + lanes * LINE;
    let height = block * i32::try_from(boots.len())? + AXIS;
    let root =
        SVGBackend::new(path, (WIDTH.cast_unsigned(), height.cast_unsigned())).into_drawing_area();
    root.fill(&WHITE)?;
    let last = boots.iter().map(|boot| boot.container).fold(1.0, f64::max);
    let x = |at: f64| LEFT + (at / last * f64::from(WIDTH - LEFT - RIGHT)) as i32;
    let text = |text: String, x, y, size| Text::new(text, (x, y), (FONT, size).into_font());

    for second in 0..=(last / 1000.0) as i32 {
        let at = x(f64::from(second) * 1000.0);
        let line = PathElement::new(
            vec![(at, 0), (at, height - AXIS + 6)],
            RGBColor(225, 225, 225),
        );
        root.draw(&line)?;
        root.draw(&text(format!("{second} s"), at - 8, height - AXIS + 12, 13))?;
    }
    for (boot, top) in boots.iter().zip((0..).step_by(block as usize)) {
        let title = format!(
            "{}, {}: ready after {:.0} ms, first container after {:.0} ms",
            boot.suite, boot.name, boot.ready, boot.container
        );
        root.draw(&text(title, LEFT, top + 9, 15))?;
        let y = |lane: Lane| {
            let place = Lane::ALL
                .iter()
                .position(|one| *one == lane)
                .unwrap_or_default();
            top + TITLE + place as i32 * LINE
        };
        for lane in Lane::ALL {
            root.draw(&text(lane.name().to_owned(), 8, y(*lane) + 4, 13))?;
        }
        for phase in phases(boot) {
            let (from, to, y) = (x(phase.from), x(phase.to), y(phase.lane));
            let bar = [(from, y + 2), (to.max(from + 1), y + LINE - 3)];
            root.draw(&Rectangle::new(bar, colour(phase.lane).filled()))?;
            root.draw(&Rectangle::new(bar, WHITE))?;
            if let Some(label) = fitting(&phase.what, to - from) {
                let label = Text::new(
                    label,
                    (from + 4, y + 5),
                    (FONT, 12).into_font().color(&WHITE),
                );
                root.draw(&label)?;
            }
        }
        let ready = x(boot.ready);
        let line = vec![(ready, top + TITLE - 4), (ready, top + block - 4)];
        root.draw(&PathElement::new(line, BLACK))?;
    }
    root.present()?;
    Ok(())
}

/// Draws how launches grow, a line for each thing.
pub(crate) fn draw_growth(all: &[Growth], path: &Path) -> Result<()> {
    grown(all, path).map_err(|error| anyhow!("draw {}: {error}", path.display()))
}

fn grown(all: &[Growth], path: &Path) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let points = || all.iter().flat_map(|growth| &growth.points);
    let most = points().map(|(count, _)| *count).max().unwrap_or(1);
    let highest = points()
        .map(|(_, instructions)| millions(*instructions))
        .fold(1.0, f64::max);
    let root = SVGBackend::new(path, (640, 400)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption("dockerlaunch: from exec to the daemon", (FONT, 15))
        .margin(10)
        .x_label_area_size(40)
        .y_label_area_size(50)
        .build_cartesian_2d(0..most, 0.0..highest * 1.05)?;
    let mut mesh = chart.configure_mesh();
    mesh.x_desc("how many more")
        .y_desc("million instructions")
        .draw()?;
    for (growth, lane) in all.iter().zip([Lane::Pid1, Lane::Dockerd].iter().cycle()) {
        let colour = colour(*lane);
        let line = growth
            .points
            .iter()
            .map(|(count, instructions)| (*count, millions(*instructions)));
        chart
            .draw_series(LineSeries::new(line, colour.stroke_width(2)))?
            .label(growth.what)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 15, y)], colour.stroke_width(2)));
    }
    let mut labels = chart.configure_series_labels();
    labels
        .background_style(WHITE)
        .border_style(BLACK)
        .position(SeriesLabelPosition::UpperLeft)
        .draw()?;
    root.present()?;
    Ok(())
}

fn millions(instructions: u64) -> f64 {
    instructions as f64 / 1e6
}

/// As many whole words of a label as fit into so many pixels.
fn fitting(label: &str, width: i32) -> Option<String> {
    let room = usize::try_from((width - 8) / CHARACTER).ok()?;
    let mut fitting = String::new();
    for word in label.split(' ') {
        let space = usize::from(!fitting.is_empty());
        if fitting.len() + space + word.len() > room {
            break;
        }
        if space == 1 {
            fitting.push(' ');
        }
        fitting.push_str(word);
    }
    (!fitting.is_empty()).then_some(fitting)
}

#[cfg(test)]
mod tests {
    use super::fitting;

    #[test]
    fn labels_are_cut_between_words() {
        assert_eq!(
            fitting("ran modprobe", 100),
            Some("ran modprobe".to_owned())
        );
        assert_eq!(fitting("ran modprobe", 60), Some("ran".to_owned()));
        assert_eq!(fitting("modprobe", 20), None);
        assert_eq!(fitting("modprobe", 2), None);
    }
}
