/// An IPv4 or IPv6 address. An IPv4 address mapped into IPv6 is the IPv4 address (RFC 4291, 2.5.5),
/// so one client has one identity on a dual-stack socket.
package struct IPAddress: Hashable, Sendable {
    package let isV4: Bool
    /// 128 bits; an IPv4 address stands in the low 32.
    let bits: UInt128

    private init(isV4: Bool, bits: UInt128) {
        self.isV4 = isV4
        self.bits = bits
    }

    package init?(_ text: some StringProtocol) {
        if let value = Self.parseV4(text) {
            self.init(isV4: true, bits: UInt128(value))
        } else if let value = Self.parseV6(text) {
            let isMapped = value >> 32 == 0xFFFF
            self.init(isV4: isMapped, bits: isMapped ? value & 0xFFFF_FFFF : value)
        } else {
            return nil
        }
    }

    private static func parseV4(_ text: some StringProtocol) -> UInt32? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var value: UInt32 = 0
        for part in parts {
            guard (1...3).contains(part.utf8.count),
                part.utf8.first != UInt8(ascii: "0")
                    || part.utf8.count == 1, part.utf8.allSatisfy({ Int64(asciiDigit: $0) != nil }),
                let octet = UInt8(part)
            else { return nil }
            value = value << 8 | UInt32(octet)
        }
        return value
    }

    private static func parseV6(_ text: some StringProtocol) -> UInt128? {
        guard text.utf8.count <= 45, text.contains(":") else { return nil }
        let halves = text.split(
            separator: "::", maxSplits: 2, omittingEmptySubsequences: false)
        guard halves.count <= 2, let head = groups(halves[0], endsAddress: halves.count == 1)
        else { return nil }
        guard halves.count == 2 else { return head.count == 8 ? join(head) : nil }
        guard let tail = groups(halves[1], endsAddress: true), head.count + tail.count <= 7
        else { return nil }
        let zeros = [UInt16](repeating: 0, count: 8 - head.count - tail.count)
        return join(head + zeros + tail)
    }

    /// Dotted decimals may stand only where the address ends (RFC 4291, 2.2).
    private static func groups(_ text: some StringProtocol, endsAddress: Bool) -> [UInt16]? {
        if text.isEmpty { return [] }
        var found: [UInt16] = []
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            if endsAddress, index == parts.count - 1, let v4 = parseV4(part) {
                found += [UInt16(v4 >> 16), UInt16(truncatingIfNeeded: v4)]
            } else {
                guard (1...4).contains(part.utf8.count), let group = UInt16(part, radix: 16),
                    part.utf8.first != UInt8(ascii: "+"), part.utf8.first != UInt8(ascii: "-")
                else { return nil }
                found.append(group)
            }
        }
        return found
    }

    private static func join(_ groups: [UInt16]) -> UInt128? {
        guard groups.count == 8 else { return nil }
        return groups.reduce(0) { $0 << 16 | UInt128($1) }
    }

    /// What a client is throttled by: an IPv4 address, or an IPv6 network of 64 bits, which is the
    /// least that one subscriber gets (security L3).
    package var throttleKey: String { isV4 ? description : Network(self, prefix: 64).description }

    package var isLoopback: Bool { isV4 ? bits >> 24 == 127 : bits == 1 }
}

extension IPAddress: CustomStringConvertible {
    package var description: String {
        if isV4 {
            return [24, 16, 8, 0].map { String(UInt8(truncatingIfNeeded: bits >> UInt128($0))) }
                .joined(separator: ".")
        }
        let groups = (0..<8).map { UInt16(truncatingIfNeeded: bits >> UInt128(112 - 16 * $0)) }
        guard let run = Self.longestZeroRun(groups) else {
            return groups.map { String($0, radix: 16) }.joined(separator: ":")
        }
        let head = groups[..<run.lowerBound].map { String($0, radix: 16) }
        let tail = groups[run.upperBound...].map { String($0, radix: 16) }
        return head.joined(separator: ":") + "::" + tail.joined(separator: ":")
    }

    /// RFC 5952, 4.2: the longest run of two or more zero groups, the first of equals.
    private static func longestZeroRun(_ groups: [UInt16]) -> Range<Int>? {
        var best: Range<Int>?
        var start = 0
        while start < groups.count {
            var end = start
            while end < groups.count, groups[end] == 0 { end += 1 }
            if end - start >= 2, end - start > (best?.count ?? 0) { best = start..<end }
            start = max(end, start + 1)
        }
        return best
    }
}

/// A block of addresses in CIDR notation; a plain address is a block of one.
package struct Network: Hashable, Sendable, CustomStringConvertible {
    private let base: IPAddress
    private let prefix: Int

    private var width: Int { base.isV4 ? 32 : 128 }

    init(_ address: IPAddress, prefix: Int) {
        self.prefix = prefix
        let shift = UInt128((address.isV4 ? 32 : 128) - prefix)
        base = IPAddress(network: address, dropping: shift)
    }

    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard let first = parts.first, parts.count <= 2, let address = IPAddress(first) else {
            return nil
        }
        let width = address.isV4 ? 32 : 128
        guard parts.count == 2 else {
            self.init(address, prefix: width)
            return
        }
        guard parts[1].utf8.allSatisfy({ Int64(asciiDigit: $0) != nil }),
            let prefix = Int(parts[1]), (0...width).contains(prefix)
        else { return nil }
        self.init(address, prefix: prefix)
    }

    package func contains(_ address: IPAddress) -> Bool {
        address.isV4 == base.isV4 && Network(address, prefix: prefix).base == base
    }

    package var description: String { "\(base)/\(prefix)" }
}

extension IPAddress {
    /// The address with its lowest bits cleared. A shift by the full width gives 0 in Swift.
    fileprivate init(network address: IPAddress, dropping shift: UInt128) {
        self.init(isV4: address.isV4, bits: (address.bits >> shift) << shift)
    }
}
