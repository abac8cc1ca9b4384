//! The arrays of `execve(2)`: pointers to arguments or variables that stay where they are. Each array is a mapping of its own,
//! which grows as it is filled: what the kernel could pass to this process, it can pass on.

use super::call;
use core::{
    ffi::{CStr, c_void},
    marker::PhantomData,
    ptr,
};
use linux_raw_sys::general::__NR_execve;
use rustix::{
    io::Errno,
    mm::{MapFlags, MremapFlags, ProtFlags, mmap_anonymous, mremap, munmap},
};

/// An array of pointers that ends with a null pointer.
pub(crate) struct Words<'a> {
    pointers: *mut *const u8,
    /// With the null pointer.
    places: usize,
    lifetime: PhantomData<&'a CStr>,
}

/// So many pointers fill a page.
const PLACES: usize = 512;

impl<'a> Words<'a> {
    /// All that `next` gives, until it gives none.
    ///
    /// # Errors
    /// `NOMEM`: the kernel has no memory for the array.
    pub(crate) fn of(next: &mut dyn FnMut() -> Option<&'a CStr>) -> Result<Self, Errno> {
        let mut all = Self::with_places(PLACES)?;
        let mut count = 0;
        while let Some(word) = next() {
            // The last place keeps its null.
            if count + 1 == all.places {
                all.double()?;
            }
            // SAFETY: the mapping has more places than that, is ours alone, and begins at a page: it is aligned.
            unsafe { all.pointers.add(count).write(word.as_ptr().cast()) };
            count += 1;
        }
        Ok(all)
    }

    /// The kernel gives zeros, which are null pointers.
    fn with_places(places: usize) -> Result<Self, Errno> {
        let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
        // SAFETY: the kernel chooses where: nothing that is mapped already is touched.
        let pointers = unsafe { mmap_anonymous(ptr::null_mut(), bytes(places), access, flags) }?;
        Ok(Self {
            pointers: pointers.cast(),
            places,
            lifetime: PhantomData,
        })
    }

    /// What is added are zeros again.
    fn double(&mut self) -> Result<(), Errno> {
        let (old, new) = (bytes(self.places), bytes(self.places * 2));
        // SAFETY: it was mapped with this length, and nobody else has the pointer.
        let moved = unsafe { mremap(self.pointers.cast(), old, new, MremapFlags::MAYMOVE) }?;
        self.pointers = moved.cast();
        self.places *= 2;
        Ok(())
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
            let mut each = given.iter().copied();
            let words = Words::of(&mut || each.next()).unwrap();
            assert!(count < words.places);
            // SAFETY: there are at least so many places.
            let kept = unsafe { core::slice::from_raw_parts(words.pointers, count + 1) };
            let expected = given.iter().map(|word| word.as_ptr().cast());
            assert!(expected.chain([ptr::null()]).eq(kept.iter().copied()));
        }
    }
}
