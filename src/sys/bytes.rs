//! Text that may not be UTF-8.

/// Removes the bytes before the first `separator`, and the separator, from `text`. Returns the bytes.
#[inline(never)]
pub(crate) fn take_until<'a>(text: &mut &'a [u8], separator: u8) -> &'a [u8] {
    let all = *text;
    let end = all.iter().position(|&byte| byte == separator).unwrap_or(all.len());
    *text = all.get(end + 1..).unwrap_or_default();
    all.get(..end).unwrap_or_default()
}
