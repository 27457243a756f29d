/// How much of one metric was used in the current hour, day and month.
///
/// All three are counted whatever the limits say: the usage history is made of them. A window that
/// ends with a count not yet saved leaves it in `finished`, so no window's last second is lost.
package struct Tally: Equatable, Sendable {
    package struct Counter: Equatable, Sendable {
        package fileprivate(set) var index: Int64
        package fileprivate(set) var used: Int64
        /// What the store has.
        fileprivate var saved: Int64
    }

    /// One counter's value, ready for the store.
    package struct Entry: Equatable, Sendable {
        package let metric: String
        package let window: Window
        package let index: Int64
        package let value: Int64

        package init(metric: String, window: Window, index: Int64, value: Int64) {
            self.metric = metric
            self.window = window
            self.index = index
            self.value = value
        }
    }

    package let metric: String
    private var month: Counter
    private var day: Counter
    private var hour: Counter
    private var finished: [Entry] = []

    package init(metric: String, at now: Timestamp) {
        self.metric = metric
        month = Counter(index: Window.month.index(of: now), used: 0, saved: 0)
        day = Counter(index: Window.day.index(of: now), used: 0, saved: 0)
        hour = Counter(index: Window.hour.index(of: now), used: 0, saved: 0)
    }

    /// The counter of the window that holds `now`, as it would be after rolling on.
    package func counter(_ window: Window, at now: Timestamp) -> Counter {
        let index = window.index(of: now)
        let counter = self[window]
        return index > counter.index ? Counter(index: index, used: 0, saved: 0) : counter
    }

    /// Takes over what the store has of a window, when the tally is loaded.
    package mutating func restore(_ entry: Entry) {
        guard self[entry.window].index == entry.index else { return }
        self[entry.window].used += entry.value
        self[entry.window].saved += entry.value
    }

    package mutating func add(_ cost: Int64, at now: Timestamp) {
        roll(to: now)
        month.used += cost
        day.used += cost
        hour.used += cost
    }

    /// Undoes an `add` made at `then`, in the windows that are still the same.
    package mutating func giveBack(_ cost: Int64, takenAt then: Timestamp) {
        for window in Window.allCases where self[window].index == window.index(of: then) {
            self[window].used = max(0, self[window].used - cost)
        }
    }

    /// The hour is the finest window, and every day and month begins with one. A clock that steps
    /// back stays in the later window: a step must not hand out a second quota.
    private mutating func roll(to now: Timestamp) {
        guard Window.hour.index(of: now) > hour.index else { return }
        for window in Window.allCases {
            let index = window.index(of: now)
            let counter = self[window]
            guard index > counter.index else { continue }
            if counter.used != counter.saved {
                finished.append(
                    Entry(
                        metric: metric, window: window, index: counter.index, value: counter.used))
            }
            self[window] = Counter(index: index, used: 0, saved: 0)
        }
    }

    package var isDirty: Bool {
        !finished.isEmpty || Window.allCases.contains { self[$0].used != self[$0].saved }
    }

    /// Every count the store does not have yet, taken to be saved from here on.
    package mutating func takeUnsaved() -> [Entry] {
        var entries = finished
        finished = []
        for window in Window.allCases where self[window].used != self[window].saved {
            let counter = self[window]
            entries.append(
                Entry(metric: metric, window: window, index: counter.index, value: counter.used))
            self[window].saved = counter.used
        }
        return entries
    }

    /// The store did not take these after all. Values are absolute, so a newer one replaces them:
    /// the running counter's, or that of a window which ended while the save was under way.
    package mutating func putBack(_ entry: Entry) {
        if self[entry.window].index == entry.index {
            // Any value but `used` marks it unsaved; counts are never negative.
            self[entry.window].saved = -1
        } else if !finished.contains(where: {
            $0.window == entry.window && $0.index == entry.index
        }) {
            finished.append(entry)
        }
    }

    private subscript(window: Window) -> Counter {
        get {
            switch window {
            case .month: month
            case .day: day
            case .hour: hour
            }
        }
        set {
            switch window {
            case .month: month = newValue
            case .day: day = newValue
            case .hour: hour = newValue
            }
        }
    }
}
