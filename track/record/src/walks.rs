//! stub
/// stub
pub struct Walks {}
impl Walks {
    /// stub
    pub fn clear(&self) {}
}
