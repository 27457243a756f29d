/// Writes into memory that is there already, and knows when it was too little.
///
/// For answers that are written in a hurry. An array finds out at every append whether it is
/// shared and whether it must grow; here each piece asks only what room is left. Nothing is written
/// past the end: from the first piece without room on all are dropped, and `isShort` says that it
/// is to be done again in more.
package struct ByteWriter {
    private let memory: UnsafeMutableRawBufferPointer
    package private(set) var count = 0
    package private(set) var isShort = false

    /// The memory is the caller's, for as long as the writer is used.
    package init(_ memory: UnsafeMutableRawBufferPointer) { self.memory = memory }

    /// Where the next bytes go; nil when there is no room for so many.
    private mutating func room(for bytes: Int) -> UnsafeMutableRawPointer? {
        guard !isShort, bytes <= memory.count - count, let base = memory.baseAddress else {
            isShort = true
            return nil
        }
        defer { count += bytes }
        return base + count
    }

    package mutating func append(_ byte: UInt8) {
        room(for: 1)?.storeBytes(of: byte, as: UInt8.self)
    }

    package mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress, let target = room(for: bytes.count) else { return }
        target.copyMemory(from: source, byteCount: bytes.count)
    }

    /// Text as it stands in the source.
    package mutating func append(_ text: StaticString) {
        append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    package mutating func append(_ text: String) {
        let isDone: Void? = text.utf8.withContiguousStorageIfAvailable {
            append(UnsafeRawBufferPointer($0))
        }
        // A text that another system's library holds, of which there are none here.
        if isDone == nil { for byte in text.utf8 { append(byte) } }
    }

    package mutating func append(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { append($0) }
    }

    // MARK: Numbers

    /// In decimal digits.
    package mutating func append(decimal value: Int64) {
        if value < 0 { append(UInt8(ascii: "-")) }
        append(digitsOf: value.magnitude, base: 10)
    }

    /// In the digits 0 to 9 and a to z.
    package mutating func append(base36 value: UInt64) { append(digitsOf: value, base: 36) }

    @inline(__always)
    private mutating func append(digitsOf value: UInt64, base: UInt64) {
        var length = 1
        var (next, isPast) = (base, false)
        while !isPast, value >= next {
            length += 1
            (next, isPast) = next.multipliedReportingOverflow(by: base)
        }
        var rest = value
        guard let text = room(for: length) else { return }
        for place in (0..<length).reversed() {
            let (quotient, digit) = rest.quotientAndRemainder(dividingBy: base)
            let zero = digit < 10 ? UInt8(ascii: "0") : UInt8(ascii: "a") - 10
            let byte = zero + UInt8(truncatingIfNeeded: digit)
            text.storeBytes(of: byte, toByteOffset: place, as: UInt8.self)
            rest = quotient
        }
    }

    /// The last `width` decimal digits, zeros in front.
    @inline(__always)
    mutating func append(digits value: Int64, width: Int) {
        guard let text = room(for: width) else { return }
        // A number below 0 has no digits of its own here (a year before 0 in a far window).
        var rest = UInt32(truncatingIfNeeded: max(0, value))
        for place in (0..<width).reversed() {
            let digit = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            text.storeBytes(of: digit, toByteOffset: place, as: UInt8.self)
            rest /= 10
        }
    }

    // MARK: JSON

    /// A text in its quotation marks.
    package mutating func append(quoted text: String) {
        append(UInt8(ascii: "\""))
        let start = count
        append(text)
        // Nearly every text goes out as it is.
        let written = memory[start..<count]
        guard !written.contains(where: JSONWriter.needsEscape) else {
            count = start - 1
            var json = JSONWriter()
            json.string(text)
            return append(json.bytes)
        }
        append(UInt8(ascii: "\""))
    }

    package mutating func append<Noun>(quoted id: ID<Noun>?) {
        guard let id else { return append("null") }
        append(UInt8(ascii: "\""))
        append(id)
        append(UInt8(ascii: "\""))
    }
}

extension ByteWriter {
    package mutating func append<Noun>(_ id: ID<Noun>) {
        guard let text = room(for: ID<Noun>.length) else { return }
        id.write(to: text)
    }

    /// RFC 3339 in UTC with milliseconds.
    package mutating func append(_ time: Timestamp) { time.write(into: &self) }
}

extension [UInt8] {
    /// Appends what `body` writes, which is `most` bytes or fewer.
    mutating func append(atMost most: Int, _ body: (inout ByteWriter) -> Void) {
        withUnsafeTemporaryAllocation(byteCount: most, alignment: 1) { memory in
            var writer = ByteWriter(memory)
            body(&writer)
            assert(!writer.isShort)
            append(contentsOf: memory.prefix(writer.count))
        }
    }

    /// What `body` writes, however much it is: it is run again while the memory is too little.
    package static func written(
        capacity: Int, _ body: (inout ByteWriter) -> Void
    ) -> [UInt8] {
        var capacity = capacity
        while true {
            var isShort = false
            let bytes = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
                var writer = ByteWriter(UnsafeMutableRawBufferPointer(buffer))
                body(&writer)
                isShort = writer.isShort
                count = writer.count
            }
            if !isShort { return bytes }
            capacity *= 2
        }
    }
}
