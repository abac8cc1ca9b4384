//! The arrays of `execve(2)`: pointers to arguments or variables that stay where they are. Each array is a mapping of its own,
//! as large as what it is made for: what the kernel could pass to this process, it can pass on.

use super::call;
use core::{
    ffi::{CStr, c_void},
    marker::PhantomData,
    ptr,
};
use linux_raw_sys::general::__NR_execve;
use rustix::{
    io::Errno,
    mm::{MapFlags, ProtFlags, mmap_anonymous, munmap},
};

/// An array of pointers that ends with a null pointer.
pub(crate) struct Words<'a> {
    pointers: *mut *const u8,
    /// With the null pointer.
    places: usize,
    /// The first that is free.
    next: usize,
    lifetime: PhantomData<&'a CStr>,
}

impl<'a> Words<'a> {
    /// Those words.
    ///
    /// # Errors
    /// `NOMEM`: the kernel has no memory for the array.
    pub(crate) fn of(words: &[&'a CStr]) -> Result<Self, Errno> {
        let mut all = Self::with_room(words.len())?;
        all.extend(words);
        Ok(all)
    }

    /// None yet, and room for so many; the kernel gives zeros, which are null pointers.
    ///
    /// # Errors
    /// As [`Words::of`].
    pub(crate) fn with_room(room: usize) -> Result<Self, Errno> {
        let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
        let places = room + 1;
        // SAFETY: the kernel chooses where: nothing that is mapped already is touched.
        let pointers = unsafe { mmap_anonymous(ptr::null_mut(), bytes(places), access, flags) }?;
        Ok(Self {
            pointers: pointers.cast(),
            places,
            next: 0,
            lifetime: PhantomData,
        })
    }

    pub(crate) fn extend(&mut self, words: &[&'a CStr]) {
        words.iter().for_each(|word| self.push(word));
    }

    /// One more; where there is no room it is left out.
    #[inline(never)] // smaller
    pub(crate) fn push(&mut self, word: &'a CStr) {
        // The last place keeps its null.
        if self.next + 1 < self.places {
            // SAFETY: the mapping has so many places, is ours alone, and begins at a page: it is aligned.
            unsafe { self.pointers.add(self.next).write(word.as_ptr().cast()) };
            self.next += 1;
        }
    }
}

fn bytes(places: usize) -> usize {
    places * size_of::<*const u8>()
}

impl Drop for Words<'_> {
    fn drop(&mut self) {
        let pointers: *mut c_void = self.pointers.cast();
        // SAFETY: it was mapped with this length, and nobody else has the pointer.
        let _ = unsafe { munmap(pointers, bytes(self.places)) };
    }
}

/// `execve(2)`: returns only the reason why it did not.
pub(crate) fn execve(path: &CStr, words: &Words<'_>, environment: &Words<'_>) -> Errno {
    let [words, environment] = [words, environment].map(|words| words.pointers as usize);
    // SAFETY: the path ends with NUL; Words' arrays end with a null pointer (the last place is never written) and hold pointers
    // to live C strings.
    let outcome = unsafe {
        call(
            __NR_execve,
            [path.as_ptr() as usize, words, environment, 0, 0],
        )
    };
    outcome.err().unwrap_or(Errno::INVAL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn c7_words_are_kept_in_order_and_end_with_a_null_pointer() {
        let (a, b) = (c"a", c"b");
        for count in [0, 1, 511, 512, 1024, 100_000] {
            let given: Vec<&CStr> = [a, b].into_iter().cycle().take(count).collect();
            let words = Words::of(&given).unwrap();
            // SAFETY: there are so many places.
            let kept = unsafe { core::slice::from_raw_parts(words.pointers, words.places) };
            let expected = given.iter().map(|word| word.as_ptr().cast());
            assert!(expected.chain([ptr::null()]).eq(kept.iter().copied()));
        }
    }
}
