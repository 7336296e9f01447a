#include "net/room_store.h"

#include "net/task.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <memory>
#include <set>
#include <thread>
#include <vector>

namespace rbee::net {
namespace {

TEST(RoomStore, RoomThatWasGivenBackIsTakenAgainForItsSizeOnly) {
  RoomStore store;
  void* const room = store.take(100);
  store.give(room, 100);
  void* const larger = store.take(200);
  EXPECT_NE(larger, room);
  void* const same = store.take(112);  // what 100 bytes take
  EXPECT_EQ(same, room);
  std::memset(same, 1, 112);
  store.give(larger, 200);
  store.give(same, 112);
}

TEST(RoomStore, NoMoreIsKeptThanItsLimit) {
  RoomStore store;
  std::vector<void*> rooms;
  for (std::size_t i = 0; i < RoomStore::most_of_each + 10; ++i) rooms.push_back(store.take(64));
  const std::set<void*> first(rooms.begin(), rooms.begin() + RoomStore::most_of_each);
  for (void* room : rooms) store.give(room, 64);
  rooms.clear();
  for (std::size_t i = 0; i < RoomStore::most_of_each; ++i) rooms.push_back(store.take(64));
  EXPECT_EQ(std::set<void*>(rooms.begin(), rooms.end()), first);
  for (void* room : rooms) store.give(room, 64);
}

TEST(RoomStore, WhatIsLargeIsNotKept) {
  RoomStore store;
  void* const room = store.take(RoomStore::largest_kept_bytes + 1);
  std::memset(room, 1, RoomStore::largest_kept_bytes + 1);
  store.give(room, RoomStore::largest_kept_bytes + 1);
}

TEST(RoomStore, ContainersAndObjectsTakeTheirRoomFromIt) {
  RoomStore store;
  const RoomStore::Use use(store);
  const auto first = std::make_unique<std::vector<int, RoomAllocator<int>>>(100);
  void* const room = first->data();
  std::vector<int, RoomAllocator<int>>().swap(*first);
  EXPECT_EQ((std::vector<int, RoomAllocator<int>>(100).data()), room);
  struct Object : InRoom {
    std::array<char, 240> bytes;
  };
  Object* const object = new Object;
  delete object;
  EXPECT_EQ(std::make_unique<Object>().get(), object);
}

TEST(RoomStore, WithoutOneRoomIsTheSystems) {
  const auto text = std::allocate_shared<std::array<char, 100>>(RoomAllocator<char>());
  text->fill('x');
  EXPECT_EQ(text->back(), 'x');
}

Task<int> one() { co_return 1; }

TEST(RoomStore, AFrameMayEndOnAnotherThreadThanItBegan) {
  RoomStore store;
  Task<int> task;
  {
    const RoomStore::Use use(store);
    task = one();
  }
  std::thread([gone = std::move(task)]() mutable {
    RoomStore other;
    const RoomStore::Use use(other);
    gone = {};
    gone = one();
  }).join();
}

}  // namespace
}  // namespace rbee::net
