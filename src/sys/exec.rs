//! The pointer arrays of `execve(2)`. The arguments and variables that they point to are not copied. Each array is an anonymous
//! mapping of the size needed, so everything that the kernel passed to this process can be passed on.

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
pub(crate) struct ExecArray<'a> {
    pointers: *mut *const u8,
    /// Including the null pointer.
    places: usize,
    /// The first free place.
    next: usize,
    lifetime: PhantomData<&'a CStr>,
}

impl<'a> ExecArray<'a> {
    /// An array of these strings.
    ///
    /// # Errors
    /// `NOMEM`: the kernel has no memory for the array.
    pub(crate) fn of(strings: &[&'a CStr]) -> Result<Self, Errno> {
        let mut all = Self::with_room(strings.len())?;
        all.extend(strings);
        Ok(all)
    }

    /// An empty array with room for `room` strings. The kernel fills the mapping with zeros, which are null pointers.
    ///
    /// # Errors
    /// As [`ExecArray::of`].
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

    pub(crate) fn extend(&mut self, strings: &[&'a CStr]) {
        strings.iter().for_each(|string| self.push(string));
    }

    /// Adds a string; does nothing if the array is full.
    #[inline(never)] // smaller
    pub(crate) fn push(&mut self, string: &'a CStr) {
        // The last place stays null.
        if self.next + 1 < self.places {
            // SAFETY: `next` is a place of the mapping, nobody else uses it, and it begins at a page, so it is aligned.
            unsafe { self.pointers.add(self.next).write(string.as_ptr().cast()) };
            self.next += 1;
        }
    }
}

fn bytes(places: usize) -> usize {
    places * size_of::<*const u8>()
}

impl Drop for ExecArray<'_> {
    fn drop(&mut self) {
        let pointers: *mut c_void = self.pointers.cast();
        // SAFETY: it was mapped with this length; nobody else has the pointer.
        let _ = unsafe { munmap(pointers, bytes(self.places)) };
    }
}

/// `execve(2)`: returns only if it fails.
pub(crate) fn execve(path: &CStr, arguments: &ExecArray<'_>, environment: &ExecArray<'_>) -> Errno {
    let [arguments, environment] = [arguments, environment].map(|array| array.pointers as usize);
    // SAFETY: the path ends with NUL; each array holds pointers to live C strings and ends with a null pointer, because the last
    // place is never written.
    let outcome = unsafe {
        call(
            __NR_execve,
            [path.as_ptr() as usize, arguments, environment, 0, 0],
        )
    };
    outcome.err().unwrap_or(Errno::INVAL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn c7_an_array_keeps_the_order_and_ends_with_a_null_pointer() {
        let (a, b) = (c"a", c"b");
        for count in [0, 1, 511, 512, 1024, 100_000] {
            let given: Vec<&CStr> = [a, b].into_iter().cycle().take(count).collect();
            let array = ExecArray::of(&given).unwrap();
            // SAFETY: the mapping has this many places.
            let kept = unsafe { core::slice::from_raw_parts(array.pointers, array.places) };
            let expected = given.iter().map(|string| string.as_ptr().cast());
            assert!(expected.chain([ptr::null()]).eq(kept.iter().copied()));
        }
    }
}
