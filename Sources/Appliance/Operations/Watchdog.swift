import Domain
import NIOPosix
import ServiceLifecycle
import Store

/// Tells the service manager twice in each of its watchdog's periods that the daemon lives; when it
/// no longer hears so, it ends the daemon and starts another.
///
/// Only what a restart mends is looked at: each event loop answers, the pool of tasks runs this,
/// and the store's writing thread comes round. A write that the store refuses is a sign of life: a
/// full disk is as full after a restart, and `/readyz` says so.
struct Watchdog: Service {
    let notifier: ServiceNotifier
    let store: any Database

    /// Until the writer's queue has room: it takes all that waits at once.
    private static let queuePause: Duration = .milliseconds(100)

    func run() async throws {
        guard let timeout = notifier.watchdogTimeout else {
            try? await gracefulShutdown()
            return
        }
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                await comeRound()
                notifier.alive()
                do { try await Task.sleep(for: timeout / 2) } catch { return }
            }
        }
    }

    /// Returns when everything has moved; never, when something hangs.
    private func comeRound() async {
        for loop in MultiThreadedEventLoopGroup.singleton.makeIterator() {
            try? await loop.submit {}.get()
        }
        while !Task.isCancelled {
            do throws(Problem) {
                // Nothing is written, so the disk is not touched.
                return try await store.write { _ throws(Problem) in }
            } catch {
                guard error.code == .overloaded else { return }
                try? await Task.sleep(for: Self.queuePause)
            }
        }
    }
}

/// The first of the services to be told of a stop, since it is the last in the list.
struct Farewell: Service {
    let notifier: ServiceNotifier
    let atMost: Duration

    func run() async throws {
        try? await gracefulShutdown()
        notifier.stopping(atMost: atMost)
    }
}
