//! Many small values of one type, by number: four bytes are enough to point to one.

/// A value's number.
pub type At = u32;
/// No value.
pub const NIL: At = At::MAX;

/// The values. A number that was given back is given out again.
pub struct Slab<T> {
    values: Vec<T>,
    free: Vec<At>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { values: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    /// Adds a value. `None`: there are as many as numbers.
    pub fn add(&mut self, value: T) -> Option<At> {
        if let Some(at) = self.free.pop() {
            self.values[at as usize] = value;
            return Some(at);
        }
        let at = At::try_from(self.values.len()).ok().filter(|&at| at != NIL)?;
        self.values.push(value);
        Some(at)
    }

    /// Gives a value's number back.
    pub fn remove(&mut self, at: At) {
        self.free.push(at);
    }

    /// The value, which must be there.
    pub fn at(&self, at: At) -> &T {
        &self.values[at as usize]
    }

    /// The value, which must be there.
    pub fn at_mut(&mut self, at: At) -> &mut T {
        &mut self.values[at as usize]
    }

    /// The value, if it is there.
    pub fn get(&self, at: At) -> Option<&T> {
        self.values.get(at as usize)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.values.len() - self.free.len()
    }

    /// All, also those whose numbers were given back.
    pub fn all(&self) -> &[T] {
        &self.values
    }

    /// All, also those whose numbers were given back.
    pub fn all_mut(&mut self) -> &mut [T] {
        &mut self.values
    }
}
