import Domain
import NIOCore
import NIOPosix
import Store

extension Answer.Stream {
    /// As much as a connection holds that a client does not read.
    private static let partBytes = 1 << 18

    /// A backup, read a part at a time: memory does not grow with the file, nor with a client that
    /// is slow.
    init(_ backup: OpenBackup) {
        self.init(length: backup.bytes) { write in
            var sent: Int64 = 0
            while sent < backup.bytes {
                let offset = sent
                let wanted = Int(min(Int64(Self.partBytes), backup.bytes - offset))
                // Blocking reads have threads of their own, not the event loops'.
                let part = try await NIOThreadPool.singleton.runIfActive {
                    backup.read(at: offset, wanted)
                }
                // The length was promised: breaking off is all that is left to tell the client.
                guard let part, part.count == wanted else {
                    throw Problem.internal(cause: "a backup could not be read to its end")
                }
                try await write(ByteBuffer(bytes: part))
                sent += Int64(wanted)
            }
        }
    }
}
