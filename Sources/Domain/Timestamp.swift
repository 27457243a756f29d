/// A moment in time: milliseconds since 1970-01-01T00:00:00Z, without leap seconds (POSIX time).
///
/// Whole milliseconds are what the API shows (RFC 3339 with three digits) and what the store keeps
/// as BIGINT, so a moment survives every round trip unchanged.
package struct Timestamp: Hashable, Comparable, Sendable {
    package var milliseconds: Int64

    package init(milliseconds: Int64) { self.milliseconds = milliseconds }

    package static func < (a: Timestamp, b: Timestamp) -> Bool { a.milliseconds < b.milliseconds }

    package static func + (moment: Timestamp, span: Duration) -> Timestamp {
        Timestamp(milliseconds: moment.milliseconds + span.wholeMilliseconds)
    }

    package static func - (moment: Timestamp, span: Duration) -> Timestamp {
        Timestamp(milliseconds: moment.milliseconds - span.wholeMilliseconds)
    }

    package static func - (later: Timestamp, earlier: Timestamp) -> Duration {
        .milliseconds(later.milliseconds - earlier.milliseconds)
    }

    /// Whole seconds since the epoch, rounded down: what JWT calls a NumericDate (RFC 7519, 2).
    package var seconds: Int64 { Civil.floor(milliseconds, 1000) }

    package static let epoch = Timestamp(milliseconds: 0)
}

extension Duration {
    /// Rounded towards zero; spans in this system are far below the 292 million years this holds.
    package var wholeMilliseconds: Int64 {
        components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
    }

    /// Rounded up, never below 0: what `Retry-After` and `expires_in` show.
    package var secondsUp: Int64 { max(0, (wholeMilliseconds + 999) / 1000) }
}

extension Timestamp: CustomStringConvertible, LosslessStringConvertible {
    /// RFC 3339 in UTC with milliseconds: `2026-11-23T16:52:00.000Z`.
    package var description: String {
        String(unsafeUninitializedCapacity: Self.length) { text in
            var writer = ByteWriter(UnsafeMutableRawBufferPointer(text))
            write(into: &writer)
            return writer.count
        }
    }

    /// Bytes of the description.
    static let length = 24

    func write(into text: inout ByteWriter) {
        let day = Civil.floor(milliseconds, Civil.millisecondsPerDay)
        let rest = milliseconds - day * Civil.millisecondsPerDay
        Civil(day: day).write(into: &text)
        text.append(UInt8(ascii: "T"))
        text.append(digits: rest / 3_600_000, width: 2)
        text.append(UInt8(ascii: ":"))
        text.append(digits: rest / 60_000 % 60, width: 2)
        text.append(UInt8(ascii: ":"))
        text.append(digits: rest / 1000 % 60, width: 2)
        text.append(UInt8(ascii: "."))
        text.append(digits: rest % 1000, width: 3)
        text.append(UInt8(ascii: "Z"))
    }

    /// Reads RFC 3339 with `Z` or a numeric offset and any number of fraction digits (what is finer
    /// than a millisecond is dropped). Anything else is nil.
    package init?(_ text: String) {
        var scan = DigitScanner(text)
        guard let year = scan.number(4), scan.take("-"), let month = scan.number(2), scan.take("-"),
            let dayOfMonth = scan.number(2), scan.take("T") || scan.take("t"),
            let hour = scan.number(2), scan.take(":"), let minute = scan.number(2), scan.take(":"),
            let second = scan.number(2), hour < 24, minute < 60, second < 60,
            let civil = Civil(year: year, month: month, day: dayOfMonth)
        else { return nil }
        var fraction: Int64 = 0
        if scan.take(".") {
            guard let digits = scan.fraction() else { return nil }
            fraction = digits
        }
        guard let offset = scan.offsetMinutes(), scan.atEnd else { return nil }
        let minutes = (civil.daysSinceEpoch * 24 + hour) * 60 + minute - offset
        milliseconds = (minutes * 60 + second) * 1000 + fraction
        // An offset can lead out of the years that RFC 3339 can write.
        guard Self.writable.contains(milliseconds) else { return nil }
    }

    /// From 0000-01-01T00:00:00Z to the last millisecond of 9999.
    static let writable: ClosedRange<Int64> = -62_167_219_200_000...253_402_300_799_999
}

/// Reads fixed-width digits from ASCII text.
private struct DigitScanner {
    private let bytes: [UInt8]
    private var at = 0

    init(_ text: String) { bytes = Array(text.utf8) }

    var atEnd: Bool { at == bytes.count }

    mutating func take(_ wanted: Unicode.Scalar) -> Bool {
        guard at < bytes.count, bytes[at] == UInt8(ascii: wanted) else { return false }
        at += 1
        return true
    }

    mutating func number(_ width: Int) -> Int64? {
        guard at + width <= bytes.count else { return nil }
        var value: Int64 = 0
        for byte in bytes[at..<at + width] {
            guard let digit = Int64(asciiDigit: byte) else { return nil }
            value = value * 10 + digit
        }
        at += width
        return value
    }

    /// The digits after the point, in milliseconds.
    mutating func fraction() -> Int64? {
        var value: Int64 = 0
        var count = 0
        while at < bytes.count, let digit = Int64(asciiDigit: bytes[at]) {
            if count < 3 { value = value * 10 + digit }
            count += 1
            at += 1
        }
        guard count > 0 else { return nil }
        for _ in count..<max(count, 3) { value *= 10 }
        return value
    }

    mutating func offsetMinutes() -> Int64? {
        if take("Z") || take("z") { return 0 }
        let sign: Int64
        if take("+") { sign = 1 } else if take("-") { sign = -1 } else { return nil }
        guard let hours = number(2), take(":"), let minutes = number(2), hours < 24, minutes < 60
        else { return nil }
        return sign * (hours * 60 + minutes)
    }
}

extension Int64 {
    init?(asciiDigit byte: UInt8) {
        guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
        self = Int64(byte - UInt8(ascii: "0"))
    }
}
