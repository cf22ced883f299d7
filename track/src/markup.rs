//! Markup of HTML and SVG, in which the texts of programs are texts: [`Markup`] takes markup from this source code
//! alone, and escapes all else.

use std::fmt::Write as _;

/// Markup that is being written.
#[derive(Default)]
pub struct Markup(String);

impl Markup {
    /// Markup of ours. What a program says lives shorter than this program, so it cannot come here.
    pub fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0 += markup;
        self
    }

    /// Text, also within an attribute's quotes.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.0 += &escape(text);
        self
    }

    /// A number, also within an attribute's quotes.
    pub fn number(&mut self, number: impl Into<i128>) -> &mut Self {
        let _ = write!(self.0, "{}", number.into());
        self
    }

    /// A drawing.
    pub fn drawing(&mut self, drawing: &Drawing) -> &mut Self {
        self.0 += &drawing.0;
        self
    }

    /// All of it.
    pub fn finish(self) -> String {
        self.0
    }
}

/// An SVG element. Its texts are escaped.
pub struct Drawing(String);

impl Drawing {
    /// This one, if the caller has escaped its texts.
    pub fn new(svg: String) -> Self {
        Self(svg)
    }
}

/// Text in which HTML and XML see no markup, whatever a program calls its functions and holders. XML 1.0 cannot
/// hold a control character.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&apos;",
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
