#include "device/mac.h"

namespace rbee::device {

std::optional<MacTexts> ask_this_mac() { return std::nullopt; }

}  // namespace rbee::device
