//! A flame graph of the references that are held, by stack: an SVG file for a browser.
//!
//! Each frame is an `<svg>` of its own, so that the browser cuts its label off at its edge. Positions
//! and widths are parts of the whole in percent: a click zooms by making the whole wider.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hash::BuildHasher;

use rustc_hash::FxBuildHasher;

use crate::leaks::Leaks;
use crate::markup::{Drawing, escape};
use crate::text;
use crate::world::World;

/// The height of a frame, and of the line that the title is in, in pixels.
const ROW: usize = 18;
const TITLE: usize = 36;
/// A narrower frame cannot be seen, in percent.
const NARROWEST: f64 = 0.01;

/// A click on a frame makes that frame as wide as the picture.
const ZOOM: &str = concat!("<script>\n", include_str!("html/zoom.js"), "</script>\n");

/// A place in the stacks, and what was taken there and in the functions that it called.
#[derive(Default)]
struct Node {
    references: u64,
    callees: BTreeMap<String, Node>,
}

/// Draws what is held into the file `path`, if anything is.
pub fn write(world: &World, leaks: &Leaks, path: &str) -> std::io::Result<()> {
    let root = gather(world, leaks);
    if root.references == 0 { Ok(()) } else { std::fs::write(path, draw(&root, ZOOM)) }
}

/// The same for a page, which has a script of its own. `None`: nothing is held.
pub fn picture(world: &World, leaks: &Leaks) -> Option<Drawing> {
    let root = gather(world, leaks);
    (root.references > 0).then(|| Drawing::new(draw(&root, "")))
}

/// From the root on: the type, the frames from the outermost, the holder.
fn gather(world: &World, leaks: &Leaks) -> Node {
    let mut root = Node::default();
    for of in &leaks.types {
        for held in &of.held {
            let frames = world.code.described(held.stack);
            let path = std::iter::once(of.name.clone())
                .chain(frames.iter().rev().map(text::place))
                .chain(held.holder.map(|name| format!("\"{name}\"")));
            root.add(path, held.count);
        }
    }
    root
}

fn draw(root: &Node, script: &str) -> String {
    let height = TITLE + ROW * root.rows();
    let mut svg = format!(
        "<svg class=\"flame\" xmlns=\"http://www.w3.org/2000/svg\" width=\"1200\" height=\"{height}\" \
         font-family=\"monospace\" font-size=\"12\">\n\
         {script}\
         <rect width=\"100%\" height=\"100%\" fill=\"#f8f8f0\"/>\n\
         <text x=\"50%\" y=\"24\" text-anchor=\"middle\" font-size=\"17\">\
         References that are held, by the stack that took them</text>\n\
         <svg class=\"all\" width=\"100%\" height=\"100%\">\n"
    );
    let scale = 100.0 / root.references as f64;
    root.draw(&mut svg, "all", 0.0, height - ROW, scale);
    svg += "</svg>\n</svg>\n";
    svg
}

impl Node {
    fn add(&mut self, path: impl Iterator<Item = String>, count: u64) {
        let mut node = self;
        node.references += count;
        for place in path {
            node = node.callees.entry(place).or_default();
            node.references += count;
        }
    }

    fn rows(&self) -> usize {
        1 + self.callees.values().map(Node::rows).max().unwrap_or(0)
    }

    /// Draws this place at `x` and `y`, and what it called above it. `scale` is the width of one reference.
    fn draw(&self, svg: &mut String, place: &str, mut x: f64, y: usize, scale: f64) {
        let width = self.references as f64 * scale;
        if width < NARROWEST {
            return;
        }
        let (label, count) = (escape(place), text::number(self.references, "reference"));
        let _ = writeln!(
            svg,
            "<svg class=\"frame\" x=\"{x:.4}%\" y=\"{y}\" width=\"{width:.4}%\" height=\"{ROW}\">\
             <title>{label}: {count}, {width:.2}%</title>\
             <rect width=\"100%\" height=\"{}\" fill=\"{}\" stroke=\"#f8f8f0\"/>\
             <text x=\"4\" y=\"13\">{label}</text></svg>",
            ROW - 1,
            colour(place),
        );
        for (place, callee) in &self.callees {
            // A caller is below: y grows downwards.
            callee.draw(svg, place, x, y - ROW, scale);
            x += callee.references as f64 * scale;
        }
    }
}

/// Red to yellow, and the same for a place in every picture.
fn colour(place: &str) -> String {
    let hash = FxBuildHasher.hash_one(place);
    format!("hsl({},80%,{}%)", hash % 56, 58 + (hash >> 32) % 14)
}
