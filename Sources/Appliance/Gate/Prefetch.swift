import CLinux

/// Memory that is about to be read: the processor fetches it while other work goes on.
///
/// A request of a customer who is in no cache waits for memory some ten times, each time for a
/// fiftieth of what the whole request takes, since each piece is known only from the one before.
/// The pieces of the last request are most often those of this one, so they are asked for together.
/// An address is a hint: where something else has come to be, time is lost and nothing more.
enum Prefetch {
    private static let lineBytes: UInt = 64

    /// - Parameter lines: as many as a request reads, from the object's beginning.
    static func object(_ object: AnyObject?, lines: UInt) {
        if let object { memory(at: address(of: object), lines: lines) }
    }

    /// - Parameter address: 0 is passed over.
    static func memory(at address: UInt, lines: UInt) {
        guard address != 0 else { return }
        for line in 0..<lines { gatehouse_prefetch(address + line * lineBytes) }
    }

    static func address(of object: AnyObject) -> UInt {
        UInt(bitPattern: ObjectIdentifier(object))
    }
}
