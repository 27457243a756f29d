import Glibc

/// Whose data a command works on.
///
/// A command that root runs on the data of another user becomes that user first. Otherwise it would
/// leave files of root's there (the write-ahead log, the lock), and the daemon could not open its
/// own store any more. What root gives it to read or to write must be open to that user too.
enum DataOwner {
    /// Does nothing for other users, whom the kernel holds to their own files, and where there is
    /// no data yet.
    static func become(ownerOf directory: String) throws(CommandRefusal) {
        var about = stat()
        guard geteuid() == 0, stat(directory, &about) == 0, about.st_uid != 0 else { return }
        // The groups first: only root may change them.
        let groups =
            getpwuid(about.st_uid).map { initgroups($0.pointee.pw_name, about.st_gid) }
            ?? setgroups(0, nil)
        guard groups == 0, setgid(about.st_gid) == 0, setuid(about.st_uid) == 0 else {
            throw CommandRefusal(
                .failed,
                "\(directory) belongs to user \(about.st_uid); run this command as that user.")
        }
    }
}
