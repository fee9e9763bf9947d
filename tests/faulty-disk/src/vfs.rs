//! How SQLite is told of the disk: each call is either passed on to the system's own VFS or answered with an error.
//!
//! The only place with pointers. A file of ours lies in the memory that SQLite gives for it, and the system's file right behind it.
#![expect(unsafe_code, reason = "SQLite is a library in C, and calls us over pointers")]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::sync::OnceLock;

use libsqlite3_sys as ffi;
use libsqlite3_sys::{sqlite3_file, sqlite3_int64, sqlite3_io_methods, sqlite3_vfs};

use crate::disk::{Call, Disk, Says};

/// The name by which SQLite knows us.
const NAME: &CStr = c"faulty-disk";

/// A file of ours. SQLite sees its beginning.
#[repr(C)]
struct File {
    base: sqlite3_file,
    /// None where the file has no name: what is in it is nobody's data.
    disk: Option<Disk>,
}

/// Where the system's file begins in the memory of ours: as strictly aligned as what SQLite itself allocates.
const SYSTEM_FILE_AT: usize = size_of::<File>().next_multiple_of(16);

/// The VFS of the system. It lives as long as the process.
struct System(*mut sqlite3_vfs);

// SAFETY: SQLite never changes a registered VFS other than by its list of them, and calls it from any thread.
unsafe impl Send for System {}
// SAFETY: as above.
unsafe impl Sync for System {}

static SYSTEM: OnceLock<System> = OnceLock::new();

/// Has all databases that this process opens from now on be on disks that can be told to fail. Files that are open stay as they are.
pub fn install() {
    SYSTEM.get_or_init(|| {
        // SAFETY: SQLite initializes itself here if it has to; the default VFS is there for as long as the process.
        let system = unsafe { ffi::sqlite3_vfs_find(ptr::null()) };
        assert!(!system.is_null(), "SQLite was built for a system with files");
        // SAFETY: it was just found, and nobody changes what is copied.
        let copy = unsafe { *system };
        let ours = sqlite3_vfs {
            szOsFile: c_int::try_from(SYSTEM_FILE_AT).expect("a few bytes") + copy.szOsFile,
            pNext: ptr::null_mut(),
            zName: NAME.as_ptr(),
            xOpen: Some(open),
            xDelete: Some(delete),
            xAccess: Some(access),
            // The rest asks for nothing that a disk could refuse. It is called with our VFS, which is a copy of its own.
            ..copy
        };
        // SAFETY: it is never freed.
        let registered = unsafe { ffi::sqlite3_vfs_register(Box::leak(Box::new(ours)), 1) };
        assert_eq!(registered, ffi::SQLITE_OK, "SQLite takes the disk");
        System(system)
    });
}

/// The system's VFS.
fn system() -> *mut sqlite3_vfs {
    SYSTEM.get().expect("SQLite calls us after it was told of us").0
}

/// Which error SQLite is told.
fn code(call: Call, says: Says) -> c_int {
    match (call, says) {
        (Call::Write | Call::Truncate | Call::Sync, Says::Full) => ffi::SQLITE_FULL,
        (Call::Open, _) => ffi::SQLITE_CANTOPEN,
        (Call::Read, _) => ffi::SQLITE_IOERR_READ,
        (Call::Write, Says::Broken) => ffi::SQLITE_IOERR_WRITE,
        (Call::Truncate, Says::Broken) => ffi::SQLITE_IOERR_TRUNCATE,
        (Call::Sync, Says::Broken) => ffi::SQLITE_IOERR_FSYNC,
        (Call::Size, _) => ffi::SQLITE_IOERR_FSTAT,
        (Call::Lock, _) => ffi::SQLITE_IOERR_LOCK,
        (Call::Share, _) => ffi::SQLITE_IOERR_SHMMAP,
        (Call::Look, _) => ffi::SQLITE_IOERR_ACCESS,
        (Call::Delete, _) => ffi::SQLITE_IOERR_DELETE,
    }
}

/// The disk of a file of this name, if it has one.
///
/// # Safety
/// The name is null, or a text that ends with a zero.
unsafe fn disk_of(name: *const c_char) -> Option<Disk> {
    // SAFETY: by the caller.
    let name = (!name.is_null()).then(|| unsafe { CStr::from_ptr(name) })?;
    Some(Disk::named(name.to_str().ok()?))
}

fn decide(disk: Option<&Disk>, call: Call) -> Option<c_int> {
    disk?.decide(call).map(|says| code(call, says))
}

/// The system's file behind one of ours.
///
/// # Safety
/// The file was given to [`open`] by SQLite.
unsafe fn behind(file: *mut sqlite3_file) -> *mut sqlite3_file {
    // SAFETY: SQLite gave as much memory as our VFS asks for, which is this much and the system's file.
    unsafe { file.byte_add(SYSTEM_FILE_AT) }
}

/// The error of a call about an open file, if it is to fail.
///
/// # Safety
/// The file is one that [`open`] opened and [`close`] did not close.
unsafe fn refused(file: *mut sqlite3_file, call: Call) -> Option<c_int> {
    // SAFETY: by the caller; nobody changes the disk of a file while it is open.
    decide(unsafe { (*file.cast::<File>()).disk.as_ref() }, call)
}

/// A method of the system's file behind one of ours, which is open.
macro_rules! method {
    ($file:ident, $method:ident) => {
        (*(*behind($file)).pMethods).$method.expect("every file of the system has this method")
    };
}

/// A call about an open file, which fails or is passed on to the system.
macro_rules! passed_on {
    ($($name:ident = $method:ident($($argument:ident: $kind:ty),*) $(fails as $call:ident)?;)+) => {$(
        unsafe extern "C" fn $name(file: *mut sqlite3_file, $($argument: $kind),*) -> c_int {
            // SAFETY: SQLite gives an open file, and what the method wants.
            unsafe {
                $(if let Some(error) = refused(file, Call::$call) {
                    return error;
                })?
                method!(file, $method)(behind(file), $($argument),*)
            }
        }
    )+};
}

unsafe extern "C" fn open(
    _: *mut sqlite3_vfs,
    name: *const c_char,
    file: *mut sqlite3_file,
    flags: c_int,
    flags_out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite gives a name or null, and memory for a file, in which nothing is yet.
    unsafe {
        let disk = disk_of(name);
        file.cast::<File>().write(File { base: sqlite3_file { pMethods: ptr::null() }, disk: None });
        if let Some(error) = decide(disk.as_ref(), Call::Open) {
            return error;
        }
        let system = system();
        let opened = (*system).xOpen.expect("every VFS opens files")(system, name, behind(file), flags, flags_out);
        if opened == ffi::SQLITE_OK {
            file.cast::<File>().write(File { base: sqlite3_file { pMethods: &raw const METHODS }, disk });
        }
        opened
    }
}

unsafe extern "C" fn delete(_: *mut sqlite3_vfs, name: *const c_char, with_folder: c_int) -> c_int {
    // SAFETY: SQLite gives a name.
    unsafe {
        if let Some(error) = decide(disk_of(name).as_ref(), Call::Delete) {
            return error;
        }
        let system = system();
        (*system).xDelete.expect("every VFS deletes files")(system, name, with_folder)
    }
}

unsafe extern "C" fn access(_: *mut sqlite3_vfs, name: *const c_char, flags: c_int, answer: *mut c_int) -> c_int {
    // SAFETY: SQLite gives a name, and where the answer goes.
    unsafe {
        if let Some(error) = decide(disk_of(name).as_ref(), Call::Look) {
            return error;
        }
        let system = system();
        (*system).xAccess.expect("every VFS looks for files")(system, name, flags, answer)
    }
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: SQLite closes an open file once, and does not use it any more.
    unsafe {
        let closed = method!(file, xClose)(behind(file));
        file.cast::<File>().drop_in_place();
        closed
    }
}

unsafe extern "C" fn write(file: *mut sqlite3_file, data: *const c_void, bytes: c_int, at: sqlite3_int64) -> c_int {
    // SAFETY: SQLite gives an open file and so many bytes.
    unsafe {
        let system = method!(file, xWrite);
        let Some(error) = refused(file, Call::Write) else { return system(behind(file), data, bytes, at) };
        // Whatever comes of it: the call fails.
        system(behind(file), data, bytes / 2, at);
        error
    }
}

passed_on! {
    read = xRead(data: *mut c_void, bytes: c_int, at: sqlite3_int64) fails as Read;
    truncate = xTruncate(bytes: sqlite3_int64) fails as Truncate;
    sync = xSync(flags: c_int) fails as Sync;
    size = xFileSize(bytes: *mut sqlite3_int64) fails as Size;
    lock = xLock(level: c_int) fails as Lock;
    unlock = xUnlock(level: c_int);
    check_reserved_lock = xCheckReservedLock(answer: *mut c_int);
    control = xFileControl(operation: c_int, argument: *mut c_void);
    sector_size = xSectorSize();
    characteristics = xDeviceCharacteristics();
    share = xShmMap(page: c_int, bytes: c_int, extend: c_int, memory: *mut *mut c_void) fails as Share;
    lock_shared = xShmLock(offset: c_int, count: c_int, flags: c_int);
    unshare = xShmUnmap(delete: c_int);
}

unsafe extern "C" fn barrier(file: *mut sqlite3_file) {
    // SAFETY: SQLite gives an open file.
    unsafe { method!(file, xShmBarrier)(behind(file)) }
}

/// The second version of the methods: files with shared memory. The third would have SQLite look into files without asking.
static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(characteristics),
    xShmMap: Some(share),
    xShmLock: Some(lock_shared),
    xShmBarrier: Some(barrier),
    xShmUnmap: Some(unshare),
    xFetch: None,
    xUnfetch: None,
};
