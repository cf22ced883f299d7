//! Text that may not be UTF-8.

/// The bytes before the first `separator`, and the bytes after it.
#[inline(never)]
pub(crate) fn halves(text: &[u8], separator: u8) -> (&[u8], &[u8]) {
    let mut halves = text.splitn(2, |&byte| byte == separator);
    (halves.next().unwrap_or_default(), halves.next().unwrap_or_default())
}
