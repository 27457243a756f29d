import Support
import Testing

@testable import Store

@Suite("Room on a disk")
struct DiskRoomTests {
    private func line(_ needs: [DiskRoom.Need], free: Int64) -> String? {
        do throws(BackupFailure) {
            try DiskRoom(free: { _ in free }).require(needs, for: "A backup", remedy: "Make room.")
            return nil
        } catch {
            return error.isForWantOfRoom ? error.description : "another: \(error)"
        }
    }

    @Test("What is needed on one disk adds up, and the line says how much and where")
    func sum() throws {
        let folder = try TemporaryFolder()
        let needs = [DiskRoom.Need(folder.path, 1 << 30), DiskRoom.Need(folder.path, 1 << 30)]
        #expect(line(needs, free: 3 << 30) == nil)
        #expect(
            line(needs, free: 2 << 30)
                == "A backup needs 2.1 GiB where \(folder.path) is; 2.0 GiB are free. Make room.")
    }

    @Test("A disk that cannot be asked is tried")
    func unknown() throws {
        #expect(line([DiskRoom.Need("/no/such/folder", 1 << 60)], free: -1) == nil)
    }

    @Test("Bytes are told in a unit that one can read")
    func units() {
        #expect(DiskRoom.text(0) == "0 bytes")
        #expect(DiskRoom.text(1023) == "1023 bytes")
        #expect(DiskRoom.text(1024) == "1.0 KiB")
        #expect(DiskRoom.text(16 << 20) == "16.0 MiB")
        #expect(DiskRoom.text((5 << 30) + 1) == "5.1 GiB")
    }

    @Test("Without room nothing is unpacked")
    func unpacking() throws {
        let backup = try BackupFixture(isEncrypted: false)
        let target = backup.folder.path + "/out"
        #expect(throws: BackupFailure.self) {
            try BackupCheck.unpack(
                backup.path, key: nil, into: target, room: DiskRoom(free: { _ in 1 << 20 }))
        }
        #expect(!Folder.exists(target))
    }
}
