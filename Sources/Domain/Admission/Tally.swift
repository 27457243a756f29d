/// How much of one metric was used in the current hour, day and month.
///
/// All three are counted whatever the limits say: the usage history is made of them. What is added
/// here is journalled by the caller, hour by hour; the tally knows nothing of what is saved.
package struct Tally: Equatable, Sendable {
    package struct Counter: Equatable, Sendable {
        package let index: Int64
        package let start: Timestamp
        /// The first moment of the next window: kept, so that no request has to work it out.
        package let end: Timestamp
        package fileprivate(set) var used: Int64 = 0

        fileprivate init(_ window: Window, at now: Timestamp) {
            index = window.index(of: now)
            start = window.start(of: index)
            end = window.end(of: index)
        }

        fileprivate mutating func add(_ cost: Int64) { used = min(used + cost, Tally.usedMax) }
    }

    /// One counter's value, as the store has it.
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
    /// Where the caller journals this hour's count: opaque here, and forgotten with the hour.
    package private(set) var place: Int64?
    private var month: Counter
    private var day: Counter
    private var hour: Counter

    /// A count stays there, since no answer can show more. With it, no sum of a count, a cost and
    /// a thousand holds overflows.
    private static let usedMax = JSON.integerMax

    package init(metric: String, at now: Timestamp) {
        self.metric = metric
        month = Counter(.month, at: now)
        day = Counter(.day, at: now)
        hour = Counter(.hour, at: now)
    }

    /// As another node left it. Nil when the windows do not hold one moment, which those of a tally
    /// always do: a day and a month begin with an hour.
    init?(
        metric: String, hour: (index: Int64, used: Int64), day: (index: Int64, used: Int64),
        month: (index: Int64, used: Int64)
    ) {
        self.init(metric: metric, at: Window.hour.start(of: hour.index))
        guard self.day.index == day.index, self.month.index == month.index else { return nil }
        self.hour.used = hour.used
        self.day.used = day.used
        self.month.used = month.used
    }

    /// The hour that is counted in. It is later than that of the clock after a step back.
    package var hourIndex: Int64 { hour.index }

    /// The counter of the window that holds `now`, as it would be after rolling on.
    package func counter(_ window: Window, at now: Timestamp) -> Counter {
        let counter = self[window]
        return now < counter.end ? counter : Counter(window, at: now)
    }

    /// Takes over what the store has of a window, when the tally is loaded.
    package mutating func restore(_ entry: Entry) {
        guard self[entry.window].index == entry.index else { return }
        self[entry.window].add(entry.value)
    }

    package mutating func add(_ cost: Int64, at now: Timestamp) {
        roll(to: now)
        month.add(cost)
        day.add(cost)
        hour.add(cost)
    }

    /// Undoes an `add` that was counted in that hour, in the windows that still hold it.
    package mutating func giveBack(_ cost: Int64, hourIndex: Int64) {
        let then = Window.hour.start(of: hourIndex)
        for window in Window.allCases where self[window].index == window.index(of: then) {
            self[window].used = max(0, self[window].used - cost)
        }
    }

    package mutating func setPlace(_ place: Int64, hourIndex: Int64) {
        if hourIndex == hour.index { self.place = place }
    }

    mutating func forget(_ gone: Int64) {
        if place == gone { place = nil }
    }

    /// Counts what was used at an earlier moment, in the windows that still hold it.
    mutating func add(_ cost: Int64, usedAt then: Timestamp, at now: Timestamp) {
        roll(to: now)
        for window in Window.allCases where self[window].index == window.index(of: then) {
            self[window].add(cost)
        }
    }

    /// The hour is the finest window, and every day and month begins with one. A clock that steps
    /// back stays in the later window: a step must not hand out a second quota.
    mutating func roll(to now: Timestamp) {
        guard now >= hour.end else { return }
        hour = Counter(.hour, at: now)
        place = nil
        if now >= day.end { day = Counter(.day, at: now) }
        if now >= month.end { month = Counter(.month, at: now) }
    }

    private(set) subscript(window: Window) -> Counter {
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
