import CLinux
import Glibc
import Synchronization

/// A first-in, first-out queue between tasks and a thread: putting never waits and fails when it is
/// full, taking waits. A Swift `Mutex` has no condition to wait on, so this is pthread's pair.
///
/// Unchecked, because every access to `waiting` and `isClosed` holds the mutex.
final class BoundedQueue<Element: Sendable>: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let arrived = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var waiting: [Element] = []
    private var isClosed = false
    private var isWoken = false
    private let capacity: Int

    init(capacity: Int) {
        self.capacity = capacity
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(arrived, nil)
    }

    deinit {
        pthread_cond_destroy(arrived)
        pthread_mutex_destroy(mutex)
        arrived.deallocate()
        mutex.deallocate()
    }

    enum Outcome { case put, full, closed }

    func put(_ element: Element) -> Outcome {
        locked {
            if isClosed { return .closed }
            if waiting.count >= capacity { return .full }
            waiting.append(element)
            pthread_cond_signal(arrived)
            return .put
        }
    }

    /// Makes a `take` that waits, or the next one, return without an element. False once closed.
    func wake() -> Bool {
        locked {
            guard !isClosed else { return false }
            isWoken = true
            pthread_cond_signal(arrived)
            return true
        }
    }

    /// Up to `most` elements, the oldest first; waits for the first. Nil once closed and drained.
    ///
    /// - Parameter waits: false returns none when there is none.
    func take(atMost most: Int, waits: Bool = true) -> [Element]? {
        locked {
            while waiting.isEmpty {
                if isClosed { return nil }
                if isWoken || !waits { break }
                pthread_cond_wait(arrived, mutex)
            }
            isWoken = false
            let taken = Array(waiting.prefix(most))
            waiting.removeFirst(taken.count)
            return taken
        }
    }

    /// What is waiting is still handed out; nothing more can be put.
    func close() {
        locked {
            isClosed = true
            pthread_cond_broadcast(arrived)
        }
    }

    var isEmpty: Bool { locked { waiting.isEmpty } }

    var count: Int { locked { waiting.count } }

    private func locked<Value>(_ body: () -> Value) -> Value {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body()
    }
}

/// A thread that runs one function to its end and can be waited for.
final class WorkThread: Sendable {
    /// Nil once somebody waits or has waited: a thread may be joined once.
    private let handle: Mutex<pthread_t?>

    /// `name` is cut to the 15 bytes that Linux shows. Nil when the system has no more threads.
    init?(name: String, _ body: @escaping @Sendable () -> Void) {
        let start = Unmanaged.passRetained(Start(name: name, body: body))
        var created = pthread_t()
        let result = pthread_create(
            &created, nil,
            { argument in
                guard let argument else { return nil }
                let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
                gatehouse_name_thread(start.name)
                start.body()
                return nil
            }, start.toOpaque())
        guard result == 0 else {
            start.release()
            return nil
        }
        handle = Mutex(created)
    }

    func join() {
        let joined = handle.withLock { handle in
            defer { handle = nil }
            return handle
        }
        if let joined { pthread_join(joined, nil) }
    }

    private final class Start {
        let name: String
        let body: @Sendable () -> Void

        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = String(decoding: name.utf8.prefix(15), as: UTF8.self)
            self.body = body
        }
    }
}
