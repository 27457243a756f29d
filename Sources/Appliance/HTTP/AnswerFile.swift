import Domain
import Hummingbird
import HummingbirdCore
import NIOCore
import NIOPosix
import Store

/// A file as the body of an answer. It is read a part at a time, when the client has taken the part
/// before: memory does not grow with the file, nor with a client that is slow.
struct AnswerFile: Sendable {
    let file: OpenBackup

    /// As much as a connection holds that a client does not read.
    private static let partBytes = 1 << 18

    /// Blocking reads have threads of their own, not the event loops'.
    var body: ResponseBody {
        ResponseBody(contentLength: Int(file.bytes)) { [file] writer in
            var sent: Int64 = 0
            while sent < file.bytes {
                let offset = sent
                let wanted = Int(min(Int64(Self.partBytes), file.bytes - offset))
                let part = try await NIOThreadPool.singleton.runIfActive {
                    file.read(at: offset, wanted)
                }
                // The length was promised: breaking off is all that is left to tell the client.
                guard let part, part.count == wanted else {
                    throw Problem.internal(cause: "a backup could not be read to its end")
                }
                try await writer.write(ByteBuffer(bytes: part))
                sent += Int64(wanted)
            }
            try await writer.finish(nil)
        }
    }
}
