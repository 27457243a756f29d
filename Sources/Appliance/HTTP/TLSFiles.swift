import Domain
import Glibc
import Logging
import NIOSSL
import ServiceLifecycle
import Synchronization

/// The certificate and key that new connections get, kept as the files are.
///
/// A pair that cannot be used changes nothing: the one in use goes on. Connections keep the pair
/// that they began with. Both files are replaced by others (certbot, Kubernetes) one after the
/// other or behind a link, so a pair that does not match may be one that is just being written:
/// the watch tries again at its next look, and only then says what is wrong, once.
final class TLSFiles: Sendable {
    private struct State {
        var pair: TLSPair
        var stamp: Stamp
        var refused: Refused?
    }

    private struct Refused {
        let stamp: Stamp
        var isLogged: Bool
    }

    private let certificate: String
    private let key: String
    private let logger: Logger
    private let state: Mutex<State>

    /// Nil when there is nothing to serve TLS with.
    init?(_ configuration: Configuration.TLS, logger: Logger) throws(TLSPair.Failure) {
        guard let files = configuration.files else { return nil }
        certificate = files.certificate
        key = files.key
        self.logger = logger
        let stamp = Stamp(certificate, key)
        state = Mutex(
            State(pair: try TLSPair(certificate: certificate, key: key), stamp: stamp))
    }

    /// For a connection that begins now.
    var context: NIOSSLContext { state.withLock { $0.pair.context } }

    /// When the certificate in use ends.
    var certificateEndsAt: Timestamp { state.withLock { $0.pair.endsAt } }

    /// Reads the files, whatever their times say, for whoever asks for it. What it returns puts the
    /// new pair in use.
    func prepare(at now: Timestamp) throws(TLSPair.Failure) -> @Sendable () -> Void {
        let stamp = Stamp(certificate, key)
        let pair = try read(at: now)
        return { self.use(pair, stamp) }
    }

    /// Reads the files if they are not those in use.
    func look(at now: Timestamp) {
        let stamp = Stamp(certificate, key)
        let isInUse = state.withLock { state in
            if state.stamp == stamp { state.refused = nil }
            return state.stamp == stamp
        }
        // What was refused is read again: it may be whole by now, or have begun.
        guard !isInUse, let reason = replace(stamp, at: now) else { return }
        let isNews = state.withLock { state in
            guard let refused = state.refused, refused.stamp == stamp else {
                state.refused = Refused(stamp: stamp, isLogged: false)
                return false
            }
            state.refused = Refused(stamp: stamp, isLogged: true)
            return !refused.isLogged
        }
        if isNews { log(reason) }
    }

    /// Why the pair on the disk was not taken; nil when it was.
    private func replace(_ stamp: Stamp, at now: Timestamp) -> String? {
        do throws(TLSPair.Failure) {
            use(try read(at: now), stamp)
            return nil
        } catch {
            return error.reason
        }
    }

    private func read(at now: Timestamp) throws(TLSPair.Failure) -> TLSPair {
        let pair = try TLSPair(certificate: certificate, key: key)
        guard now < pair.endsAt else {
            throw TLSPair.Failure(reason: "\(certificate): it ended at \(pair.endsAt)")
        }
        guard pair.beginsAt <= now else {
            throw TLSPair.Failure(reason: "\(certificate): it begins only at \(pair.beginsAt)")
        }
        return pair
    }

    /// The stamp is from before the reading: what was written since is seen at the next look.
    private func use(_ pair: TLSPair, _ stamp: Stamp) {
        state.withLock { $0 = State(pair: pair, stamp: stamp) }
        logger.notice(
            "new connections get the certificate on the disk",
            metadata: ["certificate": "\(certificate)", "ends_at": "\(pair.endsAt)"])
    }

    private func log(_ reason: String) {
        logger.error(
            "the certificate on the disk cannot be used; the one in use goes on",
            metadata: ["cause": "\(reason)", "ends_at": "\(certificateEndsAt)"])
    }
}

/// What changes when one of two files is written, replaced, or reached through another link.
private struct Stamp: Equatable {
    private struct File: Equatable {
        let device: UInt
        let inode: UInt
        let size: Int
        let seconds: [Int]
        let nanoseconds: [Int]

        /// Nil for what is not there.
        init?(_ path: String) {
            var about = stat()
            guard stat(path, &about) == 0 else { return nil }
            device = UInt(about.st_dev)
            inode = UInt(about.st_ino)
            size = Int(about.st_size)
            // ctime, too: a copy may keep the old mtime.
            seconds = [about.st_mtim.tv_sec, about.st_ctim.tv_sec]
            nanoseconds = [about.st_mtim.tv_nsec, about.st_ctim.tv_nsec]
        }
    }

    private let certificate: File?
    private let key: File?

    init(_ certificate: String, _ key: String) {
        self.certificate = File(certificate)
        self.key = File(key)
    }
}

/// Looks at the files again and again: two calls to stat, and no more while nothing changes.
struct TLSWatch: Service {
    let files: TLSFiles
    let clock: WallClock

    private static let interval: Duration = .seconds(2)

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do { try await Task.sleep(for: Self.interval) } catch { break }
                files.look(at: clock.now())
            }
        }
    }
}
